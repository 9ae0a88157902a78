// BullMQ, called in the same way as the Python contenders: node side.mjs VERB ARGUMENT...
import { writeSync, openSync } from 'node:fs';
import { Queue, Worker } from 'bullmq';
import { Redis } from 'ioredis';

const address = new URL(process.env.BENCH_URL ?? 'redis://127.0.0.1:6379/0');
// Workers wait without a limit of retries: BullMQ asks for it.
const connect = () => new Redis({
  ...(address.protocol === 'unix:'
    ? { path: address.pathname }
    : { host: address.hostname, port: Number(address.port) }),
  maxRetriesPerRequest: null,
});
const settings = JSON.parse(process.env.BENCH_SETTINGS ?? '{}');
const stored = Boolean(settings.stored);
// Finished jobs are kept for an hour where results are stored, else removed at once.
const options = { removeOnComplete: stored ? { age: 3600 } : true, removeOnFail: true };
const MAIL = { args: [42, 'user@example.com'] };
const CALL_SIZE = 1000;

// performance has no wall clock of µs in one call: its origin is added once.
const wallNs = () => BigInt(Math.round((performance.timeOrigin + performance.now()) * 1e6));

function work() {
  const file = openSync(`${process.env.BENCH_STAMPS}/${process.pid}.stamps`, 'a');
  let chunk = Buffer.alloc(16 * 4096);
  let used = 0;
  const flush = () => {
    if (used) writeSync(file, chunk, 0, used);
    used = 0;
  };
  setInterval(flush, 20);
  new Worker('bench', async (job) => {
    chunk.writeBigInt64LE(BigInt(job.data.number), used);
    chunk.writeBigInt64LE(wallNs(), used + 8);
    used += 16;
    if (used === chunk.length) flush();
    return stored ? Number(job.data.number) : undefined;
  }, { connection: connect(), concurrency: settings.concurrency ?? 1, ...options, autorun: true });
}

async function measured(count, body) {
  const begun = performance.now();
  const cpu = process.cpuUsage();
  const done = await body();
  const used = process.cpuUsage(cpu);
  return {
    count: count ?? done,
    seconds: (performance.now() - begun) / 1000,
    cpu_seconds: (used.user + used.system) / 1e6,
  };
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
// Instants in ns pass 2^53: they travel as text.
const job = (number, more = {}) => ({ name: 'mark', data: { number }, opts: { ...options, ...more } });

async function send(queue, verb, texts) {
  const one = (number, more) => queue.add('mark', { number }, { ...options, ...more });
  const many = (first, length) =>
    queue.addBulk(Array.from({ length }, (_, at) => job(first + at)));
  const [count, second, third] = texts.map(Number);
  const sendFor = async (seconds, call, jobs) => {
    await call();
    return measured(null, async () => {
      const end = performance.now() + seconds * 1000;
      let calls = 0;
      for (; performance.now() < end; calls += 1) await call();
      return calls * jobs;
    });
  };
  switch (verb) {
    case 'one_by_one': return sendFor(count, () => one(1), 1);
    case 'many': return sendFor(count, () => many(0, CALL_SIZE), CALL_SIZE);
    case 'fill': return measured(count, async () => {
      for (let first = 0; first < count; first += CALL_SIZE) {
        await many(first, Math.min(CALL_SIZE, count - first));
      }
    });
    case 'pile': return measured(count, async () => {
      for (let at = 0; at < count; at += 1) await queue.add('mail', MAIL, options);
    });
    case 'hold': return measured(count, async () => {
      const mail = { name: 'mail', data: MAIL, opts: { ...options, delay: 86400000 } };
      for (let at = 0; at < count; at += CALL_SIZE) {
        await queue.addBulk(Array(Math.min(CALL_SIZE, count - at)).fill(mail));
      }
    });
    case 'at': {
      const first = Math.floor((Date.now() + second) / 100) * 100;
      const took = await measured(count, async () => {
        for (let at = 0; at < count; at += 1) {
          const due = first + Math.floor((third * at) / count);
          await one(due, { delay: Math.max(0, due - Date.now()) });
        }
      });
      return { ...took, first_ms: first, spare_ms: first - Date.now() };
    }
    case 'pings': return measured(count, async () => {
      for (let at = 0; at < count; at += 1) {
        await one(String(wallNs()));
        await pause(second * 1000);
      }
    });
    case 'schedules': return measured(count, async () => {
      for (let at = 0; at < count; at += 1) {
        await queue.upsertJobScheduler(`every-${at}`, { every: 1000 * (settings.stretch ?? 1) * (1 + (at % 10)) },
          { name: 'mark', data: { number: at }, opts: options });
      }
    });
    default: throw new Error(`unknown verb ${verb}`);
  }
}

const [verb, ...texts] = process.argv.slice(2);
if (verb === 'worker') {
  work();
} else {
  const queue = new Queue('bench', { connection: connect() });
  await queue.waitUntilReady();
  console.log(JSON.stringify(await send(queue, verb, texts)));
  process.exit(0);
}
