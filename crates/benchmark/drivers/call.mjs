// Work driver for `call` tasks in JavaScript. Reads a plan, runs its tasks in a worker thread, prints what they claim.
//
// It holds no answer key: what a worker says is a claim about outputs, and forging one gains nothing that returning it
// would not. The nonce is read from standard input only after the last worker is dead. Starting a worker takes longer
// than most tasks, so one runs many: each task loads the genome anew, through a link of its own to the same folder, and
// a worker whose task ended early or left something behind (globals, changed built-ins, timers, listeners) is replaced.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker, isMainThread, parentPort } from 'node:worker_threads';

const ROOT = `${process.cwd()}/`;
const LINKS = path.join(path.dirname(process.cwd()), 'driver', 'run');
const DEPTH = 90;
const DRAIN = 100000;
/** Tasks of one function that may run out of time before the rest of its tasks are not run at all. */
const PATIENCE = 2;
/** Tasks that one worker runs at most: modules are never let go. */
const TURNS = 200;
/** Milliseconds that a worker may take to begin a task that is not its first. */
const STALE = 1000;

class Unfit extends Error {}

/** Whether a text has no half of a surrogate pair, which is no character and must not become equal to another one. */
const whole = (text) => !/\p{Surrogate}/u.test(text);

/** A value as JSON text. Iterators are drained, typed arrays are lists, objects that are not plain are unfit. */
function encoder(room) {
  let spent = 0;
  const spend = (text) => {
    spent += text.length;
    if (spent > room) throw new Unfit(`returned a value of more than ${room} bytes`);
    return text;
  };
  const quote = (text) => {
    if (text.length > room) spend(text);
    if (!whole(text)) throw new Unfit('returned a text with half of a surrogate pair');
    return spend(JSON.stringify(text));
  };
  const encode = (value, depth) => {
    switch (typeof value) {
      case 'boolean':
        return spend(String(value));
      case 'number':
        if (!Number.isFinite(value)) throw new Unfit(`returned ${value}`);
        return spend(String(value));
      case 'bigint':
        return spend(value.toString());
      case 'string':
        return quote(value);
      case 'object':
        break;
      default:
        throw new Unfit(`returned ${typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`}`);
    }
    if (value === null) return spend('null');
    if (depth > DEPTH) throw new Unfit(`returned a value nested more than ${DEPTH} deep`);
    const drained = typeof value.next === 'function' && typeof value[Symbol.iterator] === 'function';
    if (Array.isArray(value) || drained || (ArrayBuffer.isView(value) && !(value instanceof DataView))) {
      const items = [];
      for (const item of value) {
        if (items.length >= DRAIN) throw new Unfit(`returned more than ${DRAIN} items`);
        items.push(encode(item, depth + 1));
      }
      return `[${items.join(',')}]`;
    }
    const kind = Object.getPrototypeOf(value);
    if (kind !== Object.prototype && kind !== null) {
      throw new Unfit(`returned a ${kind.constructor?.name ?? 'object'}`);
    }
    const fields = Object.entries(value).map(([key, item]) => `${quote(key)}:${encode(item, depth + 1)}`);
    return `{${fields.join(',')}}`;
  };
  return (value) => encode(value, 0);
}

/** A text without the folders that the genome is seen in. */
const plain = (text) => text.split(`${LINKS}/`).map((part, at) => (at ? part.replace(/^\d+\//, '') : part)).join('');

/** An error in a few lines: kind, message, where in the genome. */
function describe(error) {
  try {
    if (!(error instanceof Error)) return `${String(error)}`.slice(0, 400);
    const places = String(error.stack ?? '').split('\n').filter((line) => line.includes(`${LINKS}/`)).slice(0, 4);
    const where = places.map((line) => `\n  ${plain(line.trim().replace('file://', ''))}`).join('');
    return `${error.name}: ${plain(String(error.message)).slice(0, 400)}${where}`;
  } catch {
    return 'an error that cannot be read';
  }
}

async function load(task, number) {
  const file = path.join(LINKS, String(number), task.file);
  if (!fs.existsSync(file)) throw new Error(`there is no file '${task.file}' in the genome`);
  const module = file.endsWith('.cjs') ? createRequire(file)(file) : await import(pathToFileURL(file).href);
  const parts = task.function.split('.');
  for (const start of [module, module.default]) {
    let found = start;
    let owner;
    for (const part of parts) [owner, found] = [found, found?.[part]];
    if (typeof found === 'function') return parts.length > 1 ? found.bind(owner) : found;
  }
  throw new Error(`'${task.file}' exports no function '${task.function}'`);
}

/** Looks at all that one task could leave to the next: globals, built-ins, the process, timers. */
function watcher() {
  const { ownKeys, getOwnPropertyDescriptor, getPrototypeOf } = Reflect;
  const { is } = Object;
  const isObject = (value) => (typeof value === 'object' && value !== null) || typeof value === 'function';
  const known = new Map();
  const visit = (owner) => {
    if (!isObject(owner) || known.has(owner)) return;
    const own = ownKeys(owner).map((key) => [key, getOwnPropertyDescriptor(owner, key)]);
    known.set(owner, { own, parent: getPrototypeOf(owner) });
  };
  // The constructors and name spaces of the language, and the prototypes that they stand for. What Node.js adds is
  // made when it is first used, and is left out.
  visit(globalThis);
  const language = ownKeys(globalThis).filter((key) => typeof key === 'string' && /^[A-Z]|^(parse|is|eval|(en|de)code)/.test(key));
  for (const key of language) {
    const { value } = getOwnPropertyDescriptor(globalThis, key);
    if (!isObject(value)) continue;
    visit(value);
    visit(value.prototype);
  }
  for (const value of [[][Symbol.iterator](), new Map().entries(), new Set().values(), ''.matchAll(/a/g), (function* () {})()]) {
    visit(getPrototypeOf(value));
    visit(getPrototypeOf(getPrototypeOf(value)));
  }
  visit(JSON);
  visit(Math);
  visit(console);
  const same = (one, two) => one && two && is(one.value, two.value) && one.get === two.get && one.set === two.set;
  const count = () => process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), parentPort.eventNames().length);
  // Reading a module leaves file handles that close by themselves; timers, processes and sockets go on.
  const active = () => process.getActiveResourcesInfo().filter((kind) => !/^(CloseReq|FSReq|FileHandle|MessagePort)/.test(kind)).length;
  const [listeners, busy] = [count(), active()];
  const entries = [...known];
  return () => {
    if (count() !== listeners || active() > busy) return false;
    if (process.env && ownKeys(process.env).length > 0) return false;
    for (let at = 0; at < entries.length; at += 1) {
      const [owner, { own, parent }] = entries[at];
      const now = ownKeys(owner);
      if (getPrototypeOf(owner) !== parent || now.length !== own.length) return false;
      for (let i = 0; i < own.length; i += 1) {
        if (now[i] !== own[i][0] || !same(own[i][1], getOwnPropertyDescriptor(owner, now[i]))) return false;
      }
    }
    return true;
  };
}

let random = 0;
/**
 * What `Math.random` is in workers: of the task's seed alone. The sequence is that of a counter whose steps are hashed
 * (Steele, Lea, Flood: "Fast splittable pseudorandom number generators", OOPSLA 2014), in 32 bits, two to a number.
 */
function seeded() {
  const { imul } = Math;
  const next = () => {
    random = (random + 0x9e3779b9) | 0;
    let mixed = random;
    mixed = imul(mixed ^ (mixed >>> 16), 0x21f0aaad);
    mixed = imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return (mixed ^ (mixed >>> 15)) >>> 0;
  };
  return () => (next() * 2097152 + (next() >>> 11)) / 9007199254740992;
}

/** In the worker: one task, and whether this worker may run another. */
async function perform({ task, number, room }, unchanged) {
  const { stringify, parse } = JSON;
  const port = parentPort;
  const say = (kind, text) => port.postMessage({ number, text: `${kind} ${text}\n` });
  const end = () => {
    delete process.env.MELIORA_SEED;
    // The task's canary is of the nonce: nobody else can know what a worker says when it has come to its end.
    port.postMessage({ number, done: true, canary: task.canary, again: unchanged() });
  };
  const encode = () => encoder(room);
  let run;
  port.postMessage({ number, begun: true });
  random = task.seed | 0;
  process.env.MELIORA_SEED = String(task.seed);
  try {
    run = await load(task, number);
  } catch (error) {
    say('l', stringify(describe(error)));
    end();
    return;
  }
  for (const input of task.inputs) {
    try {
      say('v', encode()(await run(...parse(input))));
    } catch (error) {
      if (error instanceof Unfit) say('o', stringify(error.message));
      else say('e', stringify(describe(error)));
    }
  }
  end();
}

function readByte(buffer) {
  for (;;) {
    try {
      return fs.readSync(0, buffer, 0, 1, null);
    } catch (error) {
      if (error.code !== 'EAGAIN') return 0;
    }
  }
}

function readLine() {
  const buffer = Buffer.alloc(1);
  let line = '';
  while (readByte(buffer) === 1 && buffer[0] !== 10) line += String.fromCharCode(buffer[0]);
  return line;
}

function readBlock() {
  const block = Buffer.alloc(Number(readLine()));
  for (let at = 0; at < block.length; ) {
    const count = fs.readSync(0, block, at, block.length - at, null);
    if (count === 0) throw new Error('the plan is cut short');
    at += count;
  }
  return block.toString('utf8');
}

/** A worker that says when it is there, and from then on waits for tasks. */
function start() {
  const worker = new Worker(new URL(import.meta.url), { stdout: true, stderr: true, stdin: true, env: {} });
  worker.stdout.resume();
  worker.stderr.resume();
  worker.on('error', () => {});
  const ready = new Promise((resolve) => {
    worker.once('message', resolve);
    worker.once('exit', resolve);
  });
  return { worker, ready, turns: 0 };
}

/**
 * Gives a worker a task and watches it to its end. Returns how it ended, its frame, and whether it can go on; or that
 * it is stale: what a task before left in it keeps it from beginning.
 */
function watch({ worker, ready, turns }, task, number, plan, until) {
  return new Promise((resolve) => {
    let said = '';
    let timer;
    let over = false;
    const finish = (end, code, again = false) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      for (const name of ['message', 'error', 'exit']) worker.removeAllListeners(name);
      worker.on('error', () => {});
      const answer = { end, again, frame: `"end":"${end}","code":${code},"said":${JSON.stringify(said)}` };
      if (again) resolve(answer);
      else worker.terminate().then(() => resolve(answer), () => resolve(answer));
    };
    worker.on('message', (message) => {
      if (message?.number !== number) return;
      if (message.begun) {
        if (turns > 0) begin();
      } else if (message.done) {
        said += `. ${String(message.canary).slice(0, 20)}\n`;
        if (message.canary === task.canary) finish('done', 0, message.again === true);
      }
      else if (typeof message.text !== 'string') return;
      else if (said.length + message.text.length > plan.room * 8) finish('size', 0);
      else said += message.text;
    });
    worker.on('error', (error) => {
      if (error?.code === 'ERR_WORKER_OUT_OF_MEMORY') finish('memory', 0);
      else {
        said += `e ${JSON.stringify(describe(error))}\n`;
        finish('exit', 1);
      }
    });
    worker.on('exit', (code) => finish('exit', code));
    const begin = () => {
      clearTimeout(timer);
      const left = Math.min(plan.seconds, until - performance.now() / 1000);
      timer = setTimeout(() => finish(left < plan.seconds ? 'budget' : 'time', 0), Math.max(0, left) * 1000);
    };
    ready.then(() => {
      if (over) return;
      if (turns > 0) timer = setTimeout(() => finish('stale', 0), STALE);
      else begin();
      worker.postMessage({ task, number, room: plan.room });
    });
  });
}

async function main() {
  const plan = JSON.parse(readBlock());
  const until = performance.now() / 1000 + plan.budget;
  fs.mkdirSync(LINKS, { recursive: true });
  const frames = [];
  const late = new Map();
  let left = plan.output;
  let one;
  for (const [number, task] of plan.tasks.entries()) {
    const called = `${task.file} ${task.function}`;
    let answer;
    if (performance.now() / 1000 >= until) answer = { end: 'budget', frame: '"end":"budget","code":0,"said":""' };
    else if ((late.get(called) ?? 0) >= PATIENCE) answer = { end: 'skipped', frame: '"end":"skipped","code":0,"said":""' };
    else {
      try {
        fs.symlinkSync(ROOT, path.join(LINKS, String(number)));
      } catch {
        // A subject took the name or the room: its task finds no file, or the one that it put there.
      }
      do {
        if (one === undefined || one.worker.threadId < 0) one = start();
        answer = await watch(one, task, number, plan, until);
        one.turns += 1;
        if (!answer.again || one.turns >= TURNS) {
          await one.worker.terminate();
          one = undefined;
        }
      } while (answer.end === 'stale');
    }
    if (answer.end === 'time') late.set(called, (late.get(called) ?? 0) + 1);
    let { frame } = answer;
    if (frame.length > left) frame = '"end":"size","code":0,"said":""';
    left -= frame.length;
    frames.push(`{"task":${number},${frame}}`);
  }
  await one?.worker.terminate();
  const nonce = readLine();
  const out = Buffer.from(frames.map((frame) => `\n${nonce} ${frame}\n`).join(''));
  for (let at = 0; at < out.length; ) at += fs.writeSync(1, out, at);
  process.exit(0);
}

if (isMainThread) await main();
else {
  let unchanged;
  Math.random = seeded();
  parentPort.on('message', (order) => {
    // Only now is the thread's own start over.
    unchanged ??= watcher();
    perform(order, unchanged);
  });
  parentPort.postMessage('ready');
}
