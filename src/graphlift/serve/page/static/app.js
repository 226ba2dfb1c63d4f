// The page: what is dropped becomes a job of the server, and its motion is shown and downloaded.

import { makeFigure } from './figure.js'
import { makeOverlay } from './film.js'
import { makePlayer } from './player.js'
import { ask, askJson, forget, lift, scene as sceneOf } from './server.js'
import { startWebcam } from './webcam.js'

const DOWNLOADS = {
  bvh: 'Blender, Maya', glb: 'Unity, web', trc: 'OpenSim', csv: 'tables', json: 'programs',
  npz: 'graphlift',
}
const $ = id => document.getElementById(id)
const figure = makeFigure($('figure'))
const overlay = makeOverlay($('overlay'), $('frame'))
const player = makePlayer({
  ...Object.fromEntries(['video', 'at', 'play', 'back', 'on', 'clock', 'speed'].map(id => [id, $(id)])),
  draw(frame) { figure.draw(frame); overlay.draw(frame) },
})

let about = { videos: [], keypoints: [], read: [], wanted: {} }
let working = null // what ends the work under way
let underWay = null // the job that does it
let stopWebcam = null
// What is shown: the file, the job that lifted it, for a film what the detector found, and the
// names of all who are in it, also while one is lifted alone.
const shown = {
  file: null, job: null, keypoints: null, people: null, scene: null, url: null, names: [], stated: false,
}
const STEPS = ['refine', 'sides', 'bones', 'trajectory', 'feet']

const counted = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`
const isFilm = file => about.videos.some(ending => file.name.toLowerCase().endsWith(ending))
// The server calls a file by a name of its own, which nobody here has seen.
const named = (words, file) => words.replace(/^(keypoints|video)\.\w+(?=:)/, () => file.name)
const say = words => { $('said').textContent = words }

function complain(words) {
  $('error').replaceChildren(...words.split(/(pip install [^;]+|graphlift model get [^;]+)/).map(part => {
    if (!/^(pip|graphlift) /.test(part)) return part
    const command = document.createElement('code')
    command.textContent = part
    return command
  }))
  $('error').hidden = !words
}

let focused = null // where the keyboard was before the work began

function busy(yes) {
  if (yes) focused = document.activeElement
  const back = !yes && document.activeElement === $('cancel')
  $('work').hidden = !yes
  $('all').disabled = yes
  for (const id of ['choose', 'webcam', 'sample']) $(id).disabled = yes
  if (yes) $('cancel').focus()
  if (back) focused?.focus()
}

// ---- work

// Say how far the work is; `told` is read aloud, and so changes rarely.
function progress(words, share, told = words) {
  $('doing').textContent = words
  if ($('told').textContent !== told) $('told').textContent = told
  if (share === null) $('bar').removeAttribute('value')
  else $('bar').value = share
}

// What to say of a job.
function describe(film, started) {
  return ({ state, frames, of }) => {
    if (state === 'waiting') return progress('Waiting for the job before…', null)
    if (!film) return progress('Lifting…', null)
    if (of && frames >= of) return progress(`Looked at ${counted(of, 'frame')}. Lifting…`, null)
    const seconds = (performance.now() - started) / 1000
    const left = of && frames > 9 ? Math.ceil((of - frames) * seconds / frames / 5) * 5 : 0
    progress(
      `Looking for people: frame ${frames}${of ? ` of ${of}` : ''}${left ? `, about ${left} s left` : ''}`,
      of ? frames / of : null,
      `Looking for people${of ? `: ${25 * Math.floor(4 * frames / of)} %` : ''}`)
  }
}

function options(film, person) {
  const given = { smooth: $('smooth').checked ? 'savgol' : 'none', model: $('model').value }
  for (const step of STEPS) given[step] = $(step).checked
  if (person) given.person = person
  if ($('height').value) given.height = $('height').valueAsNumber / 100
  if ($('fps').value) given.fps = $('fps').value
  if ($('size').value) given.image_size = $('size').value
  if (film) given.people = $('people').value
  return given
}

// Whether all fields can be read. One that is folded away could not say what is wrong with it, which is why the
// browser does not look by itself (novalidate).
function readable() {
  for (const field of $('options').querySelectorAll('details :invalid')) field.closest('details').open = true
  return $('options').reportValidity()
}

// Lift a file, or one person of it, and show what comes out; `from` is what is sent in its place,
// if anything.
async function work(file, from = file, person = null) {
  if (working || !readable()) return
  if (stopWebcam) {
    endWebcam()
    restore()
  }
  complain('')
  const film = isFilm(from)
  const people = $('people').valueAsNumber
  const stated = Boolean($('fps').value)
  working = new AbortController()
  busy(true)
  progress('Sending…', 0)
  let job = null
  try {
    if (film) await checkDetector(people > 1 ? 'several' : 'one')
    const started = performance.now()
    job = await lift(from, film, options(film, person), {
      sent: share => progress('Sending…', share),
      begun: id => { underWay = id },
      progress: describe(film, started),
      signal: working.signal,
    })
    const scene = await sceneOf(job)
    const found = film ? await (await ask(`/jobs/${job}/keypoints`)).blob() : null
    if (shown.job) forget(shown.job)
    if (file === from) shown.keypoints = found && new File([found], 'detected.npz')
    Object.assign(shown, { file, job, scene, people, stated, names: person ? shown.names : scene.people })
    job = null
    await show(file, scene)
  } catch (error) {
    if (job) forget(job)
    if (error.name === 'AbortError') say('Cancelled. Nothing is kept of it.')
    else {
      say('')
      complain(named(error.message, file))
    }
  } finally {
    working = underWay = null
    busy(false)
  }
}

async function checkDetector(who) {
  about = await askJson('/page/about')
  const command = about.wanted[who]
  if (command) throw new Error(`Nothing here finds people in pictures yet. In a terminal: ${command}`)
}

// ---- what is shown

// Load a film of the user's, and say whether this browser plays it.
function load(video, url) {
  return new Promise(resolve => {
    const done = yes => { video.onloadeddata = video.onerror = null; resolve(yes) }
    video.onloadeddata = () => done(video.videoWidth > 0)
    video.onerror = () => done(false)
    video.preload = 'auto'
    video.src = url
  })
}

function clearFilm() {
  $('video').removeAttribute('src')
  $('video').load()
  if (shown.url) URL.revokeObjectURL(shown.url)
  shown.url = null
}

function reveal(yes) {
  document.body.classList.toggle('shown', yes)
  $('result').hidden = !yes
}

async function show(file, scene) {
  reveal(true)
  $('again').hidden = $('time').hidden = $('take').hidden = $('notes').hidden = false
  $('live').hidden = true
  player.clear()
  clearFilm()
  let plays = false
  if (isFilm(file)) {
    shown.url = URL.createObjectURL(file)
    plays = await load($('video'), shown.url)
  }
  $('video').hidden = !plays
  $('frame').classList.toggle('bare', !plays)
  $('film').hidden = !plays && !scene.keypoints
  $('film-words').textContent = plays ? 'Film' : 'Keypoints'
  $('over').hidden = !plays
  overlay.visible(!plays || $('shown').checked)
  for (const side of ['left', 'right']) $(side).style.background = scene.sides[side]
  list(scene)
  figure.show(scene)
  overlay.show(scene)
  player.load(scene.frames, scene.fps, plays, shown.stated)
  const who = counted(scene.people.length, 'person', 'people')
  const unplayed = isFilm(file) && !plays ? ' This browser cannot play the film itself.' : ''
  const others = isFilm(file) && shown.names.length === 1
    && scene.notes.some(note => /\bother (person was|people were) left out\b/.test(note))
  const more = others ? ' There are others: say under “People in the film” how many to look for.' : ''
  say(`${file.name}: ${counted(scene.frames, 'frame')}, ${who}.${more}${unplayed}`)
  $('result').scrollIntoView({ block: 'nearest' })
  if (!matchMedia('(prefers-reduced-motion: reduce)').matches) player.start()
}

function list(scene) {
  const option = (value, words) => Object.assign(document.createElement('option'), { value, textContent: words })
  const { names } = shown
  $('person').replaceChildren(
    option('', 'everyone'), ...names.map((name, number) => option(number, name)))
  if (scene.people.length === 1 && names.length > 1) $('person').value = names.indexOf(scene.people[0])
  $('who').hidden = names.length < 2
  $('list').replaceChildren(...scene.notes.map(note => {
    const item = document.createElement('li')
    item.textContent = note
    return item
  }))
}

// The name of the person who is chosen; null for everyone.
const chosen = () => ($('person').value === '' ? null : shown.names[$('person').value])

function again() {
  if (!shown.file) return
  // The detector need not look again, unless for another number of people.
  const same = shown.people === $('people').valueAsNumber
  const from = same && shown.keypoints ? shown.keypoints : shown.file
  work(shown.file, from, same || !isFilm(shown.file) ? chosen() : null)
}

// ---- downloads

async function download(form) {
  complain('')
  const query = new URLSearchParams({ format: form })
  if (chosen() !== null) query.set('person', chosen())
  try {
    const file = await (await ask(`/jobs/${shown.job}/result?${query}`)).blob()
    const link = document.createElement('a')
    link.href = URL.createObjectURL(file)
    link.download = `${shown.file.name.replace(/\.[^.]*$/, '')}.${form}`
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000)
    say(`${link.download}: ${Math.ceil(file.size / 1000)} kB`)
  } catch (error) {
    complain(error.message)
  }
}

for (const [form, use] of Object.entries(DOWNLOADS)) {
  const button = document.createElement('button')
  const small = document.createElement('small')
  small.textContent = use
  button.type = 'button'
  button.dataset.format = form
  button.append(form.toUpperCase(), small)
  button.addEventListener('click', () => download(form))
  $('downloads').append(button)
}

// ---- the webcam

function endWebcam() {
  if (!stopWebcam) return
  stopWebcam()
  stopWebcam = null
  $('webcam').disabled = false
}

// Show again what was there before the webcam.
function restore() {
  if (shown.file) show(shown.file, shown.scene)
  else reveal(false)
}

async function useWebcam() {
  complain('')
  endWebcam()
  try {
    await checkDetector('one')
    player.clear()
    clearFilm()
    $('again').hidden = $('time').hidden = $('take').hidden = $('notes').hidden = true
    reveal(true)
    $('live').hidden = $('video').hidden = $('film').hidden = $('over').hidden = false
    overlay.visible($('shown').checked)
    $('frame').classList.remove('bare')
    say('')
    $('film-words').textContent = 'Webcam'
    $('rate').textContent = 'Starting…'
    figure.show(null)
    overlay.show(null)
    let first = true
    const options = { model: $('model').value, smooth: $('smooth').checked }
    stopWebcam = await startWebcam($('video'), options, {
      seen(scene) {
        if (first) {
          for (const side of ['left', 'right']) $(side).style.background = scene.sides[side]
          figure.show(scene)
          first = false
        }
        figure.update(scene)
        overlay.update(scene)
      },
      nobody() { overlay.show(null) },
      rate(perSecond, ms) {
        $('rate').textContent = perSecond ? `${perSecond.toFixed(0)} pictures a second, ${ms.toFixed(0)} ms each` : ''
      },
      failed(why) { endWebcam(); restore(); complain(why) },
    })
    $('webcam').disabled = true
    $('stop').focus()
    $('result').scrollIntoView({ block: 'nearest' })
  } catch (error) {
    restore()
    complain(error.message)
  }
}

// ---- what users do

function take(files, folder = false) {
  if (working) say('Wait until this is done, or cancel it; then give the next file.')
  else if (folder) complain('That is a folder: give one file. Folders are lifted by graphlift lift FOLDER -o FOLDER.')
  else if (files.length > 1) complain(`Those are ${files.length} files: give one at a time.`)
  else if (files.length) work(files[0])
}

$('choose').addEventListener('click', () => $('file').click())
$('file').addEventListener('change', () => { take([...$('file').files]); $('file').value = '' })
$('sample').addEventListener('click', async () => {
  try {
    work(new File([await (await ask('/page/sample')).blob()], 'sample.npz'))
  } catch (error) {
    complain(error.message)
  }
})
$('cancel').addEventListener('click', () => { progress('Cancelling…', null); working?.abort() })
$('options').addEventListener('submit', event => {
  event.preventDefault()
  again()
})
$('person').addEventListener('change', () => {
  if (shown.scene.people.length < shown.names.length) { // one was lifted alone, and the height is theirs
    $('height').value = ''
    again()
    return
  }
  const who = $('person').value === '' ? -1 : Number($('person').value)
  figure.choose(who)
  overlay.choose(who)
})
$('shown').addEventListener('change', () => overlay.visible($('shown').checked))
$('webcam').addEventListener('click', useWebcam)
$('stop').addEventListener('click', () => { endWebcam(); restore(); $('webcam').focus() })
for (const kind of ['dragover', 'dragleave', 'drop']) {
  document.addEventListener(kind, event => {
    event.preventDefault() // a file beside the field would replace the page
    $('drop').classList.toggle('over', kind === 'dragover')
    if (kind !== 'drop') return
    const folder = [...event.dataTransfer.items].some(each => each.webkitGetAsEntry?.()?.isDirectory)
    take([...event.dataTransfer.files], folder)
  })
}
addEventListener('pagehide', () => { for (const job of [shown.job, underWay]) if (job) forget(job) })

async function begin() {
  try {
    const [told, health] = await Promise.all([askJson('/page/about'), askJson('/health')])
    about = told
    $('model').replaceChildren(...health.models.map(name => new Option(name, name)))
    $('file').accept = [...about.videos, ...about.keypoints].join(',')
    $('kinds').textContent = `Films: ${about.videos.join(' ')}. Keypoints: ${about.read.join(' ')}.`
  } catch (error) {
    complain(error.message)
  }
}

begin()
