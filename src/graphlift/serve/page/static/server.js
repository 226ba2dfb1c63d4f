// What the page asks of its server. Every refusal is an Error in the server's own words.

async function words(answer) {
  try {
    return (await answer.json()).error
  } catch {
    return `The server answered ${answer.status}.`
  }
}

// Ask, and give the answer; an Error in the server's words if it refuses.
export async function ask(path, options) {
  let answer
  try {
    answer = await fetch(path, options)
  } catch (error) {
    if (error.name === 'AbortError') throw error
    throw new Error('The server does not answer: has graphlift app ended?')
  }
  if (!answer.ok) throw new Error(await words(answer))
  return answer
}

export const askJson = async (path, options) => (await ask(path, options)).json()

// Send a file with options, and give the job; `sent` is told the share that has gone. A film is sent as it is, because
// the server would write it twice if it came in a form; of keypoints the ending of the name says the kind.
function send(file, film, options, sent, signal) {
  const form = new FormData()
  form.append('file', file, file.name)
  const query = new URLSearchParams(options)
  return new Promise((resolve, reject) => {
    // fetch does not say how much has been sent.
    const request = new XMLHttpRequest()
    request.open('POST', `/jobs?${query}`)
    request.responseType = 'json'
    request.upload.onprogress = event => sent(event.loaded / event.total)
    request.onload = () => request.status === 202
      ? resolve(request.response)
      : reject(new Error(request.response?.error ?? `The server answered ${request.status}.`))
    request.onerror = () => reject(new Error('The server broke the transfer off: has it ended?'))
    request.onabort = () => reject(new DOMException('cancelled', 'AbortError'))
    signal.addEventListener('abort', () => request.abort())
    if (film) request.setRequestHeader('Content-Type', 'video/mp4') // whatever it is: the server looks
    request.send(film ? file : form)
  })
}

const pause = ms => new Promise(resolve => setTimeout(resolve, ms))

// Have a film or a file of keypoints lifted, and give the id of the job that did it, of which `begun` is told. If
// `signal` says so, the job is ended on the server too before the promise is rejected with an AbortError.
export async function lift(file, film, options, { sent, begun, progress, signal }) {
  let job = await send(file, film, { ...options, format: 'npz' }, sent, signal)
  begun(job.id)
  try {
    for (let wait = 50; job.state !== 'done'; wait = Math.min(wait * 1.5, 500)) {
      signal.throwIfAborted()
      if (job.state === 'failed') throw new Error(job.error)
      progress(job)
      await pause(wait)
      job = await askJson(`/jobs/${job.id}`)
    }
    signal.throwIfAborted()
  } catch (error) {
    await forget(job.id)
    throw error
  }
  return job.id
}

// End a job, or forget what came out of it; also while the page is closed.
export async function forget(id) {
  try {
    await fetch(`/jobs/${id}`, { method: 'DELETE', keepalive: true })
  } catch { /* the server has ended, and the job with it */ }
}

export async function scene(id) {
  const buffer = await (await ask(`/jobs/${id}/scene`)).arrayBuffer()
  const length = new DataView(buffer).getUint32(0, true)
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)))
  return withArrays(head, buffer, 4 + length)
}

// Put the numbers to the head of a scene: joints [frame, person, joint, 3], keypoints [..., 2].
export function withArrays(head, buffer, start = 0) {
  const count = head.frames * head.people.length
  const joints = new Float32Array(buffer, start, count * head.joints.length * 3)
  const points = head.keypoints
    && new Float32Array(buffer, start + joints.byteLength, count * head.keypoints.joints * 2)
  return { ...head, xyz: joints, px: points }
}
