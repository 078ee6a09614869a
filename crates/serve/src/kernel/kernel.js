// What runs JavaScript in a sandbox; the words on the wire are those of kernel.py.
'use strict'
const repl = require('repl')
const util = require('util')
const { PassThrough } = require('stream')

const control = process.stdin
const out = process.stdout
const err = process.stderr
// The code's own standard input is empty.
Object.defineProperty(process, 'stdin', { value: new PassThrough().end(), configurable: true })
let mark = null
let count = 0
const quiet = new PassThrough()
quiet.resume()
const server = repl.start({ input: new PassThrough(), output: quiet, prompt: '', useGlobal: true, breakEvalOnSigint: true, terminal: false })
// What is thrown comes here: at the end of a cell that runs, or from something that it left behind.
let fails = null
if (server._domain) {
  server._domain.removeAllListeners('error')
  server._domain.on('error', error => { if (fails) fails(error); else err.write(util.inspect(error) + '\n') })
}

const tell = message => out.write(mark + JSON.stringify(message) + '\n')

function fail (error) {
  const known = error && typeof error === 'object' && 'message' in error
  const interrupted = known && error.code === 'ERR_SCRIPT_EXECUTION_INTERRUPTED'
  tell({
    type: 'error',
    name: interrupted ? 'KeyboardInterrupt' : known ? String(error.name) : 'Error',
    value: known ? String(error.message) : util.inspect(error),
    traceback: known && error.stack ? String(error.stack) : util.inspect(error)
  })
}

function show (value) {
  if (value === undefined) return
  const result = { type: 'result', is_main_result: true, text: typeof value === 'string' ? value : util.inspect(value) }
  if (value !== null && typeof value === 'object' && typeof value !== 'function') {
    try { result.json = JSON.parse(JSON.stringify(value)) } catch {}
    if (result.json === null || typeof result.json !== 'object' || Array.isArray(result.json)) delete result.json
  }
  tell(result)
}

function evaluate (code) {
  return new Promise((resolve, reject) => {
    fails = reject
    server.eval(code + '\n', server.context, `<cell ${++count}>`, (error, value) => {
      if (error instanceof repl.Recoverable) error = error.err
      if (error) reject(error); else resolve({ value })
    })
  })
}

async function cell (request) {
  const env = request.env || {}
  const before = {}
  for (const name of Object.keys(env)) before[name] = process.env[name]
  Object.assign(process.env, env)
  try {
    const { value } = await evaluate(request.code)
    show(value)
  } catch (error) { fail(error) }
  fails = null
  for (const name of Object.keys(env)) {
    if (before[name] === undefined) delete process.env[name]; else process.env[name] = before[name]
  }
  tell({ type: 'end' })
  err.write(mark + '{"type":"end"}\n')
}

process.on('SIGINT', () => {})
process.on('uncaughtException', error => { err.write(util.inspect(error) + '\n') })
let buffer = ''
let queue = Promise.resolve()
control.setEncoding('utf8')
control.on('data', text => {
  buffer += text
  let at
  while ((at = buffer.indexOf('\n')) >= 0) {
    const request = JSON.parse(buffer.slice(0, at))
    buffer = buffer.slice(at + 1)
    if (mark === null) mark = '\x1e' + request.nonce
    else queue = queue.then(() => cell(request))
  }
})
control.on('end', () => process.exit(0))
