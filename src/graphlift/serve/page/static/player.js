// One time bar for film and skeleton. The film leads while it plays, so that both agree however
// fast the browser draws; without a film that this browser plays, a clock leads.

export function makePlayer({ video, at, play, back, on, clock, speed, draw }) {
  let count = 0
  let fps = 25
  let frame = 0
  let film = false // whether the film can lead
  let pace = 25 // frames a second of the film, as the browser plays it
  let playing = false
  let before = 0
  let exact = 0 // frames, with their fraction, by the clock

  const last = () => count - 1

  function show(number) {
    frame = Math.max(0, Math.min(last(), number))
    at.value = frame
    const words = `frame ${frame + 1} of ${count}, ${(frame / fps).toFixed(2)} s`
    at.setAttribute('aria-valuetext', words)
    clock.textContent = words
    draw(frame)
  }

  // The middle of the frame, so that rounding does not show the one before.
  const seek = () => { if (film) video.currentTime = (frame + 0.5) / pace }

  function go(number) {
    show(number)
    exact = frame
    seek()
  }

  function tick(now) {
    if (!playing) return
    if (film) {
      if (video.ended || video.currentTime * pace >= count) {
        go(0)
        video.play().catch(() => {})
      } else if (!video.seeking) {
        show(Math.floor(video.currentTime * pace + 1e-3))
      }
    } else {
      exact = (exact + (now - before) / 1000 * fps * Number(speed.value)) % count
      show(Math.floor(exact))
    }
    before = now
    requestAnimationFrame(tick)
  }

  function start() {
    if (playing || count < 2) return
    if (frame === last()) go(0)
    playing = true
    play.textContent = 'Pause'
    clock.setAttribute('aria-live', 'off') // nobody can listen to every frame
    before = performance.now()
    if (film) {
      video.playbackRate = Number(speed.value)
      video.play().catch(() => {})
    }
    requestAnimationFrame(tick)
  }

  function stop() {
    if (!playing) return
    playing = false
    play.textContent = 'Play'
    video.pause()
    clock.setAttribute('aria-live', 'polite')
    go(frame)
  }

  const step = by => { stop(); go(frame + by) }

  play.addEventListener('click', () => (playing ? stop() : start()))
  back.addEventListener('click', () => step(-1))
  on.addEventListener('click', () => step(1))
  at.addEventListener('input', () => { const to = at.valueAsNumber; stop(); go(to) })
  speed.addEventListener('change', () => { video.playbackRate = Number(speed.value) })
  document.addEventListener('keydown', event => {
    const own = event.target.closest('input:not([type=checkbox]), select, textarea, summary')
    if (!count || event.ctrlKey || event.metaKey || event.altKey || (own && own !== at)) return
    // A button that has the focus is pressed by the space bar, as everywhere.
    if (event.key === ' ' && event.target.closest('button, input[type=checkbox]')) return
    const does = {
      ' ': () => (playing ? stop() : start()),
      ArrowLeft: () => step(-1), ArrowRight: () => step(1),
      Home: () => step(-count), End: () => step(count),
    }[event.key]
    if (!does) return
    event.preventDefault()
    does()
  })

  return {
    // Load a motion; `leads` says whether the film in `video` can be played with it, `stated` whether its rate is the
    // user's: the film still has its own, at which slow motion plays slowly.
    load(frames, rate, leads, stated) {
      stop()
      count = frames
      fps = rate
      film = leads
      pace = stated && leads && Number.isFinite(video.duration) ? frames / video.duration : rate
      at.max = last()
      go(0)
    },
    start,
    stop,
    clear() { stop(); count = 0 },
  }
}
