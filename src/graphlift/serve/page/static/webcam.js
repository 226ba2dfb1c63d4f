// The webcam: pictures go to the server one by one, and each comes back as a scene of one frame.

import { withArrays } from './server.js'

const WIDEST = 640 // px; detectors look at less
const QUALITY = 0.8

function words(error) {
  return {
    NotAllowedError: 'The browser was not allowed to use the webcam: allow it for this page.',
    NotFoundError: 'The browser finds no webcam: plug one in.',
    NotReadableError: 'Something else uses the webcam: close it there.',
  }[error.name] ?? String(error.message)
}

// Run the webcam until `stop` is called on what is returned, or `failed` is called with why.
export async function startWebcam(video, options, { seen, nobody, rate, failed }) {
  let stream
  try {
    if (!navigator.mediaDevices) throw new Error('This browser shows no webcam to this address.')
    stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: WIDEST } } })
    video.srcObject = stream
    await video.play()
  } catch (error) {
    stream?.getTracks().forEach(track => track.stop())
    video.srcObject = null
    throw new Error(words(error))
  }
  const canvas = document.createElement('canvas')
  const shrink = Math.min(1, WIDEST / video.videoWidth)
  canvas.width = Math.round(video.videoWidth * shrink)
  canvas.height = Math.round(video.videoHeight * shrink)
  const context = canvas.getContext('2d', { alpha: false })
  const socket = new WebSocket(`ws${location.origin.slice(4)}/webcam`)
  socket.binaryType = 'arraybuffer'
  let head = null
  let sent = 0
  const times = []
  let running = true

  function send() {
    if (!running) return
    context.drawImage(video, 0, 0, canvas.width, canvas.height)
    canvas.toBlob(blob => {
      if (!running || socket.readyState !== WebSocket.OPEN) return
      sent = performance.now()
      socket.send(blob)
    }, 'image/jpeg', QUALITY)
  }

  function answered() {
    const now = performance.now()
    times.push(now)
    while (now - times[0] > 2000) times.shift()
    const perSecond = (times.length - 1) / Math.max((now - times[0]) / 1000, 0.001)
    rate(times.length > 2 ? perSecond : 0, now - sent)
    requestAnimationFrame(send)
  }

  function stop() {
    if (!running) return
    running = false
    stream.getTracks().forEach(track => track.stop())
    video.srcObject = null
    socket.close()
  }

  function fail(why) {
    if (!running) return
    stop()
    failed(why)
  }

  socket.onopen = () => { socket.send(JSON.stringify(options)); send() }
  socket.onmessage = ({ data }) => {
    if (!running) return
    if (data instanceof ArrayBuffer) {
      seen(withArrays(head, data))
      answered()
      return
    }
    const said = JSON.parse(data)
    if (said.error) fail(said.error)
    else if (said.scene) head = said.scene
    else { nobody(); answered() }
  }
  socket.onclose = () => fail('The server ended the webcam: start it again.')
  stream.getVideoTracks()[0].addEventListener('ended', () => fail('The webcam has gone.'))
  return stop
}
