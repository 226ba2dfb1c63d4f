// The skeleton in 3D on a canvas: people of a scene on a floor, seen by a pinhole that orbits.

const PALE = 0.22 // opacity of people who are not chosen
const TURN = Math.PI / 24 // by one press of an arrow key
const NEAREST = 0.1 // m in front of the pinhole

const add = (a, b, s = 1) => [a[0] + s * b[0], a[1] + s * b[1], a[2] + s * b[2]]
const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2]

export function makeFigure(canvas) {
  const context = canvas.getContext('2d')
  let scene = null
  let frame = 0
  let person = -1 // everyone
  const turn = { yaw: 0, pitch: 0, zoom: 1 }

  // The pinhole's place and axes, and how many px a metre is at a distance of a metre.
  function pinhole() {
    const aspect = canvas.clientWidth / canvas.clientHeight
    const view = scene.views.findLast(each => each.aspect <= aspect) ?? scene.views[0]
    const narrower = Math.max(1, view.aspect / aspect)
    const away = add(view.position, view.target, -1)
    const distance = Math.hypot(...away) * narrower * (scene.room ?? 1) / turn.zoom
    const yaw = Math.atan2(away[1], away[0]) + turn.yaw
    const pitch = Math.max(-0.2, Math.min(1.55,
      Math.asin(away[2] / Math.hypot(...away)) + turn.pitch))
    turn.pitch = pitch - Math.asin(away[2] / Math.hypot(...away))
    const back = [Math.cos(pitch) * Math.cos(yaw), Math.cos(pitch) * Math.sin(yaw), Math.sin(pitch)]
    return {
      at: add(view.target, back, distance),
      right: [-Math.sin(yaw), Math.cos(yaw), 0],
      up: [-Math.sin(pitch) * Math.cos(yaw), -Math.sin(pitch) * Math.sin(yaw), Math.cos(pitch)],
      back,
      focal: canvas.clientHeight / 2 / Math.tan(scene.fov / 2),
    }
  }

  // A point as [x, y, distance, px a metre there]; null behind the pinhole or if missing.
  function project(eye, point) {
    const from = add(point, eye.at, -1)
    const depth = -dot(from, eye.back)
    if (!(depth > NEAREST)) return null
    const scale = eye.focal / depth
    return [canvas.clientWidth / 2 + scale * dot(from, eye.right),
      canvas.clientHeight / 2 - scale * dot(from, eye.up), depth, scale]
  }

  function line(eye, a, b) {
    // Cut what is behind the pinhole, so that a floor on which one stands is drawn, too.
    const [da, db] = [a, b].map(each => -dot(add(each, eye.at, -1), eye.back) - 2 * NEAREST)
    if (da < 0 && db < 0) return
    const cut = add(a, add(b, a, -1), da / (da - db))
    const [p, q] = [da < 0 ? cut : a, db < 0 ? cut : b].map(each => project(eye, each))
    context.moveTo(p[0], p[1])
    context.lineTo(q[0], q[1])
  }

  function drawFloor(eye, style) {
    const { middle, half } = scene.floor
    context.strokeStyle = style.getPropertyValue('--grid')
    for (const [step, width] of [[0.5, 0.5], [1, 1]]) {
      context.lineWidth = width
      context.beginPath()
      for (let at = -half; at <= half; at += step) {
        const [x, y] = middle
        line(eye, [x + at, y - half, 0], [x + at, y + half, 0])
        line(eye, [x - half, y + at, 0], [x + half, y + at, 0])
      }
      context.stroke()
    }
  }

  function joint(who, number) {
    const at = 3 * ((frame * scene.people.length + who) * scene.joints.length + number)
    return scene.xyz.subarray(at, at + 3)
  }

  function drawShadows(eye, style) {
    context.strokeStyle = style.getPropertyValue('--shadow')
    context.lineCap = 'round'
    for (let who = 0; who < scene.people.length; who++) {
      if (person >= 0 && who !== person) continue
      const feet = project(eye, [...joint(who, 0).subarray(0, 2), 0])
      context.lineWidth = feet ? Math.max(2, 5 * scene.bone_radii[0] * feet[3]) : 2
      context.beginPath() // one path, so that shadows do not darken each other
      for (const ends of scene.bones) {
        const [p, q] = ends.map(each => project(eye, [...joint(who, each).subarray(0, 2), 0]))
        if (!p || !q) continue
        context.moveTo(p[0], p[1])
        context.lineTo(q[0], q[1])
      }
      context.stroke()
    }
  }

  // Tubes and balls, the farthest first.
  function parts(eye) {
    const drawn = []
    for (let who = 0; who < scene.people.length; who++) {
      const ends = scene.joints.map((_, number) => project(eye, joint(who, number)))
      scene.bones.forEach(([parent, child], bone) => {
        const [p, q] = [ends[parent], ends[child]]
        if (!p || !q) return
        const width = scene.bone_radii[bone] * (p[3] + q[3])
        drawn.push({ far: (p[2] + q[2]) / 2, p, q, width, colour: scene.colours[who][bone], who })
      })
      ends.forEach((p, number) => {
        const width = p && 2 * scene.joint_radii[number] * p[3]
        // A joint lies before the bones that end in it.
        if (p) drawn.push({ far: p[2] - 0.02, p, q: p, width, colour: scene.hues[who], who })
      })
    }
    return drawn.sort((a, b) => b.far - a.far)
  }

  function stroke(p, q, shift, width, colour) {
    context.lineWidth = width
    context.strokeStyle = colour
    context.beginPath()
    context.moveTo(p[0] - shift, p[1] - shift)
    context.lineTo(q[0] - shift + 0.001, q[1] - shift) // a line of no length has no caps
    context.stroke()
  }

  function drawPeople(eye, style) {
    const ground = style.getPropertyValue('--stage')
    for (const { p, q, width, colour, who } of parts(eye)) {
      context.globalAlpha = person < 0 || who === person ? 1 : PALE
      stroke(p, q, 0, width + 2, ground) // an edge tells what is in front
      stroke(p, q, 0, width, colour)
      stroke(p, q, width * 0.16, width * 0.3, 'rgba(255, 255, 255, 0.28)')
    }
    context.globalAlpha = 1
  }

  function drawNames(eye, style) {
    if (scene.people.length < 2) return
    context.fillStyle = style.getPropertyValue('--text')
    context.font = '600 14px system-ui, sans-serif'
    context.textAlign = 'center'
    scene.people.forEach((name, who) => {
      const head = [0, 0, -Infinity]
      scene.joints.forEach((_, number) => {
        const at = joint(who, number)
        if (at[2] > head[2]) head.splice(0, 3, ...at)
      })
      const p = project(eye, add(head, [0, 0, 0.2]))
      if (p) context.fillText(name, p[0], p[1])
    })
  }

  function draw() {
    const ratio = devicePixelRatio || 1
    const [width, height] = [canvas.clientWidth, canvas.clientHeight]
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio)
      canvas.height = Math.round(height * ratio)
    }
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.clearRect(0, 0, width, height)
    if (!scene || !width || !height) return
    const style = getComputedStyle(canvas)
    const eye = pinhole()
    drawFloor(eye, style)
    drawShadows(eye, style)
    drawPeople(eye, style)
    drawNames(eye, style)
  }

  const reset = () => Object.assign(turn, { yaw: 0, pitch: 0, zoom: 1 })
  const zoom = by => { turn.zoom = Math.max(0.3, Math.min(6, turn.zoom * by)) }

  canvas.addEventListener('pointerdown', event => canvas.setPointerCapture(event.pointerId))
  canvas.addEventListener('pointermove', event => {
    if (!canvas.hasPointerCapture(event.pointerId)) return
    turn.yaw -= event.movementX / 120
    turn.pitch += event.movementY / 120
    draw()
  })
  canvas.addEventListener('wheel', event => {
    if (document.activeElement !== canvas) return // until it is clicked, the page scrolls
    event.preventDefault()
    zoom(Math.exp(-event.deltaY / 500))
    draw()
  }, { passive: false })
  canvas.addEventListener('keydown', event => {
    const does = {
      ArrowLeft: () => { turn.yaw -= TURN }, ArrowRight: () => { turn.yaw += TURN },
      ArrowUp: () => { turn.pitch += TURN }, ArrowDown: () => { turn.pitch -= TURN },
      '+': () => zoom(1.15), '=': () => zoom(1.15), '-': () => zoom(1 / 1.15), 0: reset,
    }[event.key]
    if (!does || event.ctrlKey || event.metaKey || event.altKey) return
    event.preventDefault()
    event.stopPropagation()
    does()
    draw()
  })
  new ResizeObserver(draw).observe(canvas)
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', draw)

  return {
    show(shown) { scene = shown; frame = 0; person = -1; reset(); draw() },
    update(shown, at = 0) { scene = shown; frame = at; draw() },
    draw(at) { frame = at; draw() },
    choose(who) { person = who; draw() },
    turn,
  }
}
