// Work driver for `call` tasks in JavaScript. Reads a plan, starts one worker thread a task, prints what they claim.
//
// It holds no answer key: what a worker says is a claim about outputs, and forging one gains nothing that returning it
// would not. The nonce is read from standard input only after the last worker is dead. The next task's worker starts
// while the current one runs, for starting one takes longer than most tasks.
import fs from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

const ROOT = '/work/genome/';
const DEPTH = 90;
const DRAIN = 100000;

class Unfit extends Error {}

/** A value as JSON text. Iterators are drained, typed arrays are lists, objects that are not plain are unfit. */
function encoder(room) {
  let spent = 0;
  const spend = (text) => {
    spent += text.length;
    if (spent > room) throw new Unfit(`returned a value of more than ${room} bytes`);
    return text;
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
        if (value.length > room) spend(value);
        return spend(JSON.stringify(value));
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
    const fields = Object.entries(value).map(([key, item]) => `${spend(JSON.stringify(key))}:${encode(item, depth + 1)}`);
    return `{${fields.join(',')}}`;
  };
  return (value) => encode(value, 0);
}

/** An error in a few lines: kind, message, where in the genome. */
function describe(error) {
  try {
    if (!(error instanceof Error)) return `${String(error)}`.slice(0, 400);
    const places = String(error.stack ?? '').split('\n').filter((line) => line.includes(ROOT)).slice(0, 4);
    const where = places.map((line) => `\n  ${line.trim().replace('file://', '').replaceAll(ROOT, '')}`).join('');
    return `${error.name}: ${String(error.message).replaceAll(ROOT, '').slice(0, 400)}${where}`;
  } catch {
    return 'an error that cannot be read';
  }
}

async function load(task) {
  const file = path.join(ROOT, task.file);
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

async function perform({ task, room }) {
  const { stringify, parse } = JSON;
  const say = (kind, text) => parentPort.postMessage(`${kind} ${text}\n`);
  const encode = () => encoder(room);
  let run;
  try {
    run = await load(task);
  } catch (error) {
    say('l', stringify(describe(error)));
    parentPort.postMessage('.\n');
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
  parentPort.postMessage('.\n');
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

function start(task, plan) {
  const worker = new Worker(new URL(import.meta.url), {
    workerData: { task, room: plan.room }, stdout: true, stderr: true, stdin: true, env: {},
  });
  worker.stdout.resume();
  worker.stderr.resume();
  worker.on('error', () => {});
  return worker;
}

/** Lets a worker begin and watches it to its end. Returns its frame without the nonce. */
function watch(worker, plan, until) {
  return new Promise((resolve) => {
    let said = '';
    let timer;
    let over = false;
    const finish = (end, code) => {
      if (over) return;
      over = true;
      clearTimeout(timer);
      worker.removeAllListeners('message');
      const frame = `"end":"${end}","code":${code},"said":${JSON.stringify(said)}`;
      worker.terminate().then(() => resolve(frame), () => resolve(frame));
    };
    worker.on('message', (text) => {
      if (text === 'ready') {
        const left = Math.min(plan.seconds, until - performance.now() / 1000);
        timer = setTimeout(() => finish(left < plan.seconds ? 'budget' : 'time', 0), Math.max(0, left) * 1000);
        worker.postMessage('go');
        return;
      }
      if (typeof text !== 'string') return;
      if (text === '.\n') finish('done', 0);
      else if (said.length + text.length > plan.room * 8) finish('size', 0);
      else said += text;
    });
    worker.on('error', (error) => {
      if (error?.code === 'ERR_WORKER_OUT_OF_MEMORY') finish('memory', 0);
      else {
        said += `e ${JSON.stringify(describe(error))}\n`;
        finish('exit', 1);
      }
    });
    worker.on('exit', (code) => finish('exit', code));
    worker.postMessage('hello');
  });
}

async function main() {
  const plan = JSON.parse(readBlock());
  const until = performance.now() / 1000 + plan.budget;
  const frames = [];
  let left = plan.output;
  let next = plan.tasks.length > 0 ? start(plan.tasks[0], plan) : undefined;
  for (let number = 0; number < plan.tasks.length; number += 1) {
    const worker = next;
    next = number + 1 < plan.tasks.length ? start(plan.tasks[number + 1], plan) : undefined;
    let frame = await watch(worker, plan, until);
    if (frame.length > left) frame = '"end":"size","code":0,"said":""';
    left -= frame.length;
    frames.push(`{"task":${number},${frame}}`);
  }
  const nonce = readLine();
  const out = Buffer.from(frames.map((frame) => `\n${nonce} ${frame}\n`).join(''));
  for (let at = 0; at < out.length; ) at += fs.writeSync(1, out, at);
  process.exit(0);
}

if (isMainThread) await main();
else {
  // The first message asks whether it is there, the second says that its time begins.
  parentPort.on('message', (text) => {
    if (text === 'hello') parentPort.postMessage('ready');
    else if (text === 'go') perform(workerData).finally(() => parentPort.close());
  });
}
