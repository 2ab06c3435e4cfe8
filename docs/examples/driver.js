// Copyright (c) 2026 The Baton authors
// SPDX-License-Identifier: GPL-3.0-or-later
// A driver in Node.js 18 or newer, without packages: runs a command on the active node only. See docs/reference/driver-protocol.md.
// Use: node driver.js ID COMMAND [ARGUMENT...]
'use strict'
const crypto = require('crypto')
const fs = require('fs')
const http = require('http')
const { spawn } = require('child_process')

const runDir = process.env.BATON_RUN_DIR || '/run/baton'
const [id, ...command] = process.argv.slice(2)
const now = () => parseFloat(fs.readFileSync('/proc/uptime', 'utf8')) // seconds since boot, suspended time included
const sleep = seconds => new Promise(resolve => setTimeout(resolve, 1000 * seconds))

let stream = null // the connection
let welcome = null // what batond said last when it took this driver
let pause = 0.1 // seconds before the next connection
let mayRun = false
let epoch = 0
let deadline = 0
let turn = Promise.resolve() // start and stop come one after the other
let child = null

// --- the service: replace these two ---

function start () {
  child = spawn(command[0], command.slice(1), { detached: true, stdio: 'inherit', env: { ...process.env, BATON_EPOCH: epoch } })
  const it = child
  it.once('exit', () => { if (it === child) leave('the command has ended') })
  return new Promise((resolve, reject) => { it.once('spawn', resolve).once('error', reject) })
}

async function stop () {
  if (!child) return
  const it = child
  const group = signal => { try { return process.kill(-it.pid, signal) } catch { return false } }
  child = null
  for (let tries = 0; tries < 20 && it.pid && group(tries ? 0 : 'SIGTERM'); tries++) await sleep(0.05)
  if (it.pid) group('SIGKILL')
  const isThere = () => it.exitCode === null && it.signalCode === null
  for (let tries = 0; tries < 20 && it.pid && (isThere() || group(0)); tries++) await sleep(0.05) // what it has started is killed, too
  if (it.pid && isThere()) process.exit(70) // systemd kills what is left
}

// --- the contract ---

function inTurn (what, answer) {
  turn = turn.then(what).then(() => answer(true, ''), error => answer(false, error.message))
}

function mark () { // before a start is ordered: a file of this user, which no other driver can remove
  try {
    fs.closeSync(fs.openSync(welcome.marker, 'wx', 0o640))
  } catch (error) {
    if (error.code !== 'EEXIST' || fs.lstatSync(welcome.marker).uid !== process.getuid()) return send({ type: 'marked', ok: false, message: error.message })
  }
  send({ type: 'marked', ok: true })
}

function unmark () {
  if (welcome) fs.rmSync(welcome.marker, { force: true })
}

function leave (why) { // stop unasked
  mayRun = false
  inTurn(stop, () => {
    unmark()
    if (stream) send({ type: 'stopped', message: why })
  })
}

function look () {
  if (mayRun && now() >= deadline) leave('its lease ended')
}

function take (frame) {
  look() // first: this process may have been frozen
  if (frame.type === 'welcome') [welcome, pause] = [frame, 0.1]
  if (frame.type === 'refused') console.error(`batond refused this driver: ${frame.reason}`)
  if (frame.type === 'mark') mark()
  if (frame.type === 'lease' && mayRun && frame.epoch === epoch) deadline = frame.deadline
  if (frame.type !== 'order') return
  const to = stream
  const answer = (ok, message) => { if (to === stream) send({ type: 'done', number: frame.number, ok, message }) }
  mayRun = frame.active
  if (!frame.active) return inTurn(() => stop().then(unmark), answer)
  epoch = frame.epoch
  deadline = frame.deadline
  inTurn(() => {
    if (!mayRun || now() >= deadline) throw new Error('overtaken, or too late')
    return start()
  }, answer)
}

// --- the connection: a WebSocket by hand ---

function send (frame, opcode = 1) { // one masked frame
  const data = Buffer.from(opcode === 1 ? JSON.stringify(frame) : frame)
  const head = data.length < 126 ? [0x80 | opcode, 0x80 | data.length] : [0x80 | opcode, 0xfe, data.length >> 8, data.length & 255]
  const mask = crypto.randomBytes(4)
  stream.write(Buffer.concat([Buffer.from(head), mask, data.map((byte, index) => byte ^ mask[index & 3])]))
}

function read (buffer) { // returns what is left of it: a part of a frame
  while (buffer.length >= 2) {
    const short = buffer[1] & 127
    const begin = short < 126 ? 2 : 4
    if (short === 127) throw new Error('a frame of batond is too large')
    if (buffer.length < begin) break
    const end = begin + (short < 126 ? short : buffer.readUInt16BE(2))
    if (buffer.length < end) break
    const data = buffer.subarray(begin, end)
    const opcode = buffer[0] & 15
    if (opcode === 1) take(JSON.parse(data))
    if (opcode === 8) stream.destroy()
    if (opcode === 9) send(data, 10)
    buffer = buffer.subarray(end)
  }
  return buffer
}

function lost () {
  stream = null
  leave('the connection was lost') // at once
  turn.then(() => sleep(pause)).then(connect)
  pause = Math.min(2 * pause, 5)
}

function connect () {
  const headers = { Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': 13 }
  headers['Sec-WebSocket-Key'] = crypto.randomBytes(16).toString('base64')
  try { headers.Authorization = `Bearer ${fs.readFileSync(`${runDir}/driver.secret`, 'utf8').trim()}` } catch { return lost() }
  const request = http.request({ socketPath: `${runDir}/driver.sock`, path: '/driver/v1', headers, timeout: 5000 })
  request.on('error', lost).on('timeout', () => request.destroy(new Error('timeout')))
  request.on('response', response => { console.error(`batond answered ${response.statusCode}`); request.destroy(new Error('no')) })
  request.on('upgrade', (_response, socket, rest) => {
    stream = socket
    let left = Buffer.alloc(0)
    socket.setTimeout(0)
    socket.on('error', () => {}).on('close', lost)
    socket.on('data', data => { try { left = read(Buffer.concat([left, data])) } catch (error) { console.error(error.message); socket.destroy() } })
    send({ type: 'hello', id, options: {}, own_marker: true })
    if (rest.length) socket.emit('data', rest)
  })
  request.end()
}

setInterval(look, 100)
process.on('SIGTERM', () => {
  mayRun = false
  inTurn(stop, () => {
    unmark()
    process.exit(0)
  })
})
connect()
