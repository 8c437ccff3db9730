// The foreign side: the CloudEvents SDK for JavaScript over kafkajs, MQTT.js and nats.js. Nothing here knows Comity.
//
// One JSON object a line on standard input, one on standard output for each:
//   open {broker, url} · subscribe {broker, topic} · receive {broker, topic, id, ms}
//   publish {broker, topic, mode, attributes, data} · plain {broker, topic, headers, contentType, payload, key}
// `data` is {json}, {base64} or absent. `receive` gives {native, event} or {native, error}: what the client got, and
// what the SDK makes of it. A message that lacks `id` is matched by its octets.
'use strict';

const readline = require('node:readline');
const { CloudEvent, HTTP, Kafka: KafkaBinding, MQTT: MqttBinding } = require('cloudevents');
const { Kafka, logLevel } = require('kafkajs');
const mqtt = require('mqtt');
const nats = require('nats');

const base64 = (bytes) => Buffer.from(bytes ?? []).toString('base64');
const octets = (text) => Buffer.from(text ?? '', 'base64');
const isBytes = (value) => value instanceof Uint8Array;
const present = (table) => Object.fromEntries(Object.entries(table).filter(([, value]) => value !== undefined));
const textual = (body) => (body === undefined || typeof body === 'string' || isBytes(body) ? body : JSON.stringify(body));

// ------------------------------------------------------------------ brokers

const clients = {};
const arrived = {}; // `broker topic` to messages, as the client gave them
const waiting = new Set();

function arrive(broker, topic, native) {
  (arrived[`${broker} ${topic}`] ??= []).push(native);
  for (const wake of [...waiting]) wake();
}

const OPEN = {
  async kafka(url) {
    const kafka = new Kafka({ brokers: [url.replace('kafka://', '')], logLevel: logLevel.NOTHING });
    const producer = kafka.producer();
    await producer.connect();
    return { kafka, producer, consumers: [] };
  },
  async mqtt(url) {
    const client = await mqtt.connectAsync(url, { protocolVersion: 5 });
    client.on('message', (topic, payload, packet) => {
      const { contentType, userProperties } = packet.properties ?? {};
      arrive('mqtt', topic, { headers: { ...userProperties }, contentType, payload: base64(payload) });
    });
    return client;
  },
  async nats(url) {
    return nats.connect({ servers: url });
  },
};

const SUBSCRIBE = {
  async kafka({ kafka, consumers }, topic) {
    const consumer = kafka.consumer({ groupId: `foreign-${topic}` });
    consumers.push(consumer);
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const eachMessage = async ({ message }) => {
      const text = ([name, value]) => [name, Array.isArray(value) ? value.map(String) : String(value)];
      const headers = Object.fromEntries(Object.entries(message.headers ?? {}).map(text));
      const key = message.key === null ? undefined : base64(message.key);
      arrive('kafka', topic, { headers, key, payload: base64(message.value) });
    };
    const ready = new Promise((resolve) => consumer.on(consumer.events.GROUP_JOIN, resolve));
    await consumer.run({ eachMessage });
    await ready;
  },
  async mqtt(client, topic) {
    await client.subscribeAsync(topic, { qos: 1 });
  },
  async nats(client, topic) {
    client.subscribe(topic, {
      callback: (error, message) => {
        const headers = Object.fromEntries((message.headers?.keys() ?? []).map((name) => [name, message.headers.get(name)]));
        arrive('nats', topic, { headers, payload: base64(message.data) });
      },
    });
    await client.flush();
  },
};

const PLAIN = {
  async kafka({ producer }, topic, { headers, payload, key }) {
    await producer.send({ topic, messages: [{ key, headers, value: payload }] });
  },
  async mqtt(client, topic, { headers, contentType, payload }) {
    const userProperties = Object.keys(headers ?? {}).length ? headers : undefined;
    const properties = present({ contentType, userProperties });
    await client.publishAsync(topic, payload ?? '', { qos: 1, properties });
  },
  async nats(client, topic, { headers, payload }) {
    const given = nats.headers();
    for (const [name, value] of Object.entries(headers ?? {})) given.set(name, value);
    client.publish(topic, payload, { headers: given });
    await client.flush();
  },
};

// ------------------------------------------------------- the SDK's bindings

const READ = {
  kafka: ({ headers, payload }) => KafkaBinding.toEvent({ headers, value: octets(payload) }),
  mqtt({ headers, contentType, payload }) {
    const structured = contentType?.startsWith('application/cloudevents');
    const body = structured ? octets(payload).toString() : octets(payload);
    return MqttBinding.toEvent({ PUBLISH: { 'Content Type': contentType }, headers, body });
  },
  nats: ({ headers, payload }) => HTTP.toEvent({ headers, body: octets(payload).toString() }),
};

const WRITE = {
  kafka(event, mode) {
    const { headers, key, value } = KafkaBinding[mode](event);
    return { headers: present(headers), key, payload: value === undefined ? null : Buffer.from(textual(value)) };
  },
  mqtt(event, mode) {
    const { PUBLISH, headers, body } = MqttBinding[mode](event);
    return { headers: present(headers), contentType: PUBLISH['Content Type'], payload: Buffer.from(textual(body) ?? '') };
  },
  nats(event) {
    const { headers, body } = HTTP.structured(event);
    return { headers, payload: Buffer.from(textual(body)) };
  },
};

function told(event) {
  const { data, data_base64: encoded, ...attributes } = event.toJSON();
  const kind = encoded !== undefined ? { base64: encoded } : { json: event.data };
  return { attributes: present(attributes), data: event.data === undefined ? undefined : kind };
}

function look(broker, native) {
  try {
    return { native, event: told(READ[broker](native)) };
  } catch (error) {
    return { native, error: `${error.name}: ${error.message}` };
  }
}

function has(native, id) {
  return Object.values(native.headers).includes(id) || octets(native.payload).includes(id);
}

async function receive({ broker, topic, id, ms }) {
  const deadline = Date.now() + ms;
  for (;;) {
    const native = (arrived[`${broker} ${topic}`] ?? []).find((each) => has(each, id));
    if (native !== undefined) return look(broker, native);
    const left = deadline - Date.now();
    if (left <= 0) throw new Error(`no message with ${id} on ${topic} within ${ms} ms`);
    await new Promise((resolve) => {
      const wake = () => { waiting.delete(wake); clearTimeout(timer); resolve(); };
      const timer = setTimeout(wake, left);
      waiting.add(wake);
    });
  }
}

// ----------------------------------------------------------------- commands

const COMMANDS = {
  async open({ broker, url }) {
    clients[broker] ??= await OPEN[broker](url);
    return {};
  },
  async subscribe({ broker, topic }) {
    await SUBSCRIBE[broker](clients[broker], topic);
    return {};
  },
  receive,
  async publish({ broker, topic, mode, attributes, data }) {
    const value = data === undefined ? {} : { data: 'base64' in data ? new Uint8Array(octets(data.base64)) : data.json };
    const native = WRITE[broker](new CloudEvent({ ...attributes, ...value }), mode);
    await PLAIN[broker](clients[broker], topic, native);
    return { native: { headers: native.headers, contentType: native.contentType } };
  },
  async plain({ broker, topic, headers, contentType, payload, key }) {
    await PLAIN[broker](clients[broker], topic, { headers, contentType, key, payload: octets(payload) });
    return {};
  },
};

async function end() {
  if (clients.kafka) {
    await Promise.all(clients.kafka.consumers.map((consumer) => consumer.disconnect()));
    await clients.kafka.producer.disconnect();
  }
  await clients.mqtt?.endAsync();
  await clients.nats?.drain();
  process.exit(0);
}

const lines = readline.createInterface({ input: process.stdin });
lines.on('line', async (line) => {
  const { n, what, ...detail } = JSON.parse(line);
  const answer = await COMMANDS[what](detail).catch((error) => ({ failed: `${error.name}: ${error.message}` }));
  process.stdout.write(`${JSON.stringify({ n, ...answer })}\n`);
});
lines.on('close', end);
