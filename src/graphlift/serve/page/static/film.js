// The keypoints on the film, or alone on an empty image where there is no film.

export function makeOverlay(canvas, frameBox) {
  const context = canvas.getContext('2d')
  let scene = null
  let frame = 0
  let person = -1
  let shown = true

  function draw() {
    const ratio = devicePixelRatio || 1
    const [width, height] = [canvas.clientWidth, canvas.clientHeight]
    canvas.width = Math.round(width * ratio)
    canvas.height = Math.round(height * ratio)
    const keypoints = scene?.keypoints
    if (!keypoints || !shown || !width) return
    const [wide, high] = keypoints.size
    const scale = Math.min(width / wide, height / high)
    const left = (width - scale * wide) / 2
    const top = (height - scale * high) / 2
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    if (frameBox.classList.contains('bare')) {
      context.strokeStyle = getComputedStyle(canvas).getPropertyValue('--grid')
      context.strokeRect(left + 0.5, top + 0.5, scale * wide - 1, scale * high - 1)
    }
    context.lineCap = 'round'
    const point = (who, number) => {
      const at = 2 * ((frame * scene.people.length + who) * keypoints.joints + number)
      return [left + scale * scene.px[at], top + scale * scene.px[at + 1]]
    }
    for (let who = 0; who < scene.people.length; who++) {
      context.globalAlpha = person < 0 || who === person ? 1 : 0.22
      keypoints.bones.forEach(([parent, child], bone) => {
        const [p, q] = [point(who, parent), point(who, child)]
        if (![...p, ...q].every(Number.isFinite)) return
        for (const [wider, colour] of [[2, 'rgba(0, 0, 0, 0.55)'], [0, keypoints.colours[who][bone]]]) {
          context.lineWidth = 3 + wider
          context.strokeStyle = colour
          context.beginPath()
          context.moveTo(...p)
          context.lineTo(...q)
          context.stroke()
        }
      })
    }
    context.globalAlpha = 1
    if (scene.people.length > 1) drawNames(point)
  }

  function drawNames(point) {
    Object.assign(context, { font: '600 14px system-ui, sans-serif', textAlign: 'center', lineWidth: 4, lineJoin: 'round' })
    scene.people.forEach((name, who) => {
      const seen = Array.from({ length: scene.keypoints.joints }, (_, number) => point(who, number))
        .filter(at => at.every(Number.isFinite))
      if (!seen.length) return
      const [x, y] = seen.reduce((top, at) => (at[1] < top[1] ? at : top))
      context.strokeStyle = 'rgba(0, 0, 0, 0.75)'
      context.fillStyle = '#ffffff'
      context.strokeText(name, x, Math.max(y - 24, 14))
      context.fillText(name, x, Math.max(y - 24, 14))
    })
  }

  new ResizeObserver(draw).observe(canvas)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)
  return {
    show(given) { scene = given; frame = 0; person = -1; draw() },
    update(given, at = 0) { scene = given; frame = at; draw() },
    draw(at) { frame = at; draw() },
    choose(who) { person = who; draw() },
    visible(yes) { shown = yes; draw() },
  }
}
