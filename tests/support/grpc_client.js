// Calls the service test.Worker with @grpc/grpc-js; prints what it saw as one JSON object. Arguments: address, folder of
// node_modules.

'use strict';

const [target, modules] = process.argv.slice(2);
const grpc = require(`${modules}/@grpc/grpc-js`);

const raw = (bytes) => bytes;
const client = new grpc.Client(target, grpc.credentials.createInsecure());

function unary(method, message, metadata = new grpc.Metadata(), options = {}) {
    return new Promise((resolve) => {
        const seen = { headers: {}, trailers: {} };
        const done = (error, response) => {
            seen.code = error ? error.code : 0;
            seen.details = error ? error.details : '';
            seen.response = response ? response.toString() : null;
        };
        const call = client.makeUnaryRequest(
            `/test.Worker/${method}`, raw, raw, Buffer.from(message), metadata, options, done);
        call.on('metadata', (found) => { seen.headers = found.getMap(); });
        call.on('status', (status) => {
            seen.trailers = status.metadata.getMap();
            setImmediate(() => resolve(seen));
        });
    });
}

function stream(method, message, wanted) {
    return new Promise((resolve) => {
        const messages = [];
        const call = client.makeServerStreamRequest(`/test.Worker/${method}`, raw, raw, Buffer.from(message));
        call.on('data', (data) => {
            messages.push(data.toString());
            if (messages.length === wanted) {
                call.cancel();
            }
        });
        call.on('error', () => {});
        call.on('status', (status) => resolve({ messages, code: status.code }));
    });
}

async function main() {
    const metadata = new grpc.Metadata();
    metadata.set('x-a', '1');
    metadata.set('x-b-bin', Buffer.from([255, 0]));
    const seen = {
        echo: await unary('Echo', 'hello'),
        large: (await unary('Echo', 'x'.repeat(300000))).response.length,
        context: JSON.parse((await unary('Context', '', metadata)).response).context,
        error: await unary('Error', '5|:|missing'),
        trailers: await unary('Reply', JSON.stringify({
            context: JSON.stringify({ headers: '{"x-h":"1"}', trailers: '{"x-t":"2"}' }), body: 'body' })),
        deadline: (await unary('Sleep', '3000', undefined, { deadline: Date.now() + 300 })).code,
        frames: await stream('Frames', JSON.stringify({ frames: [['', 'one'], ['', 'two']], end: ['', 'three'] }), 0),
        cancelled: await stream('Count', '/dev/null', 5),
        parallel: (await Promise.all(Array.from({ length: 50 }, (_, i) => unary('Echo', `${i}`))))
            .map((one) => one.response),
    };
    console.log(JSON.stringify(seen));
    client.close();
}

main();
