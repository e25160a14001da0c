// Calls greeter.v1.Greeter with gRPC-Web, as a page does, and prints what it gets as JSON.
//   node client.cjs URL DESCRIPTORS     a file with a serialized FileDescriptorSet

const { readFileSync } = require("node:fs");
const { createFileRegistry, fromBinary } = require("@bufbuild/protobuf");
const { FileDescriptorSetSchema } = require("@bufbuild/protobuf/wkt");
const { createClient } = require("@connectrpc/connect");
const { createGrpcWebTransport } = require("@connectrpc/connect-web");

const [baseUrl, descriptors] = process.argv.slice(2);
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(descriptors)));

async function main() {
  const client = createClient(registry.getService("greeter.v1.Greeter"), createGrpcWebTransport({ baseUrl }));
  const metadata = {};
  const echo = await client.echo(
    { text: "grüezi" },
    {
      headers: { "x-say": "hi" },
      onHeader: (headers) => (metadata.header = headers.get("x-said")),
      onTrailer: (trailers) => (metadata.trailer = trailers.get("x-last")),
    },
  );
  const thrice = [];
  for await (const { text } of client.thrice({ text: "again" })) {
    thrice.push(text);
  }
  const fail = await client.fail({}).catch((error) => [error.code, error.rawMessage]);
  console.log(JSON.stringify({ echo: echo.text, ...metadata, thrice, fail }));
}

main();
