<?php

declare(strict_types=1);

namespace PyRoadRunner\Grpc;

use PyRoadRunner\Goridge\RelayException;
use PyRoadRunner\Worker;

/**
 * gRPC calls in a worker. A service is an object with a public method for each of its methods, or functions:
 *
 *     $worker = GrpcWorker::create();
 *     $worker->service('greeter.Greeter', new Greeter());
 *     $worker->method('greeter.Greeter', 'Ping', fn (string $message): string => $message);
 *     $worker->run();
 *
 * A method gets the message and the Call. If the type of its first parameter is a class of google/protobuf, it gets such
 * an object, otherwise the bytes. It returns an object, bytes, or, if it is declared with `returns (stream ...)`, an
 * iterable of these: a generator.
 */
final class GrpcWorker
{
    /** @var array<string, array<string, callable>> */
    private array $methods = [];

    /** @var array<string, object> */
    private array $services = [];

    public function __construct(public readonly Worker $worker, private readonly bool $debug = false)
    {
    }

    /**
     * The worker of the server that started this process.
     *
     * @param bool $debug whether clients see the trace of an unexpected exception
     */
    public static function create(bool $debug = false): self
    {
        return new self(Worker::create(), $debug);
    }

    /** @param string $name full name: package.Service */
    public function service(string $name, object $service): self
    {
        $this->services[$name] = $service;

        return $this;
    }

    public function method(string $service, string $method, callable $handler): self
    {
        $this->methods[$service][$method] = $handler;

        return $this;
    }

    /** Answers calls until the server stops the worker. */
    public function run(): void
    {
        try {
            while (($payload = $this->worker->waitPayload()) !== null) {
                try {
                    $call = Call::fromContext($payload->context);
                } catch (\JsonException|\UnexpectedValueException $e) {
                    $this->worker->unreadable('call', $e->getMessage(), 'grpc');
                    continue;
                }
                $this->answer($call, $payload->body);
                unset($payload, $call); // frees what the call held before the wait, not after it
            }
        } catch (RelayException) {
            // The server exited without a stop.
        }
    }

    private function answer(Call $call, string $message): void
    {
        try {
            $handler = $this->find($call);
            $result = $handler(self::argument($handler, $message), $call);
            if (!\is_iterable($result)) {
                $this->worker->respond(self::bytes($result), $call->lastContext());

                return;
            }
            $sent = 0;
            foreach ($result as $one) {
                if (!$this->worker->stream(self::bytes($one), $call->messageContext())) {
                    return; // the client has left: the stream is closed, and the generator is not continued
                }
                ++$sent;
            }
            // Without a message, a status says that there is none.
            $this->worker->respond('', $call->lastContext($sent === 0 ? '' : null));
        } catch (RelayException $e) {
            throw $e;
        } catch (GrpcException $e) {
            $this->worker->respond('', $call->lastContext(\base64_encode($e->status())));
        } catch (\Throwable $e) {
            \fwrite(STDERR, "{$e}\n");
            $this->worker->error($this->debug ? (string) $e : $e->getMessage());
        }
    }

    private function find(Call $call): callable
    {
        $function = $this->methods[$call->service][$call->method] ?? null;
        if ($function !== null) {
            return $function;
        }
        $service = $this->services[$call->service] ?? null;
        if ($service === null || !\is_callable([$service, $call->method]) || \str_starts_with($call->method, '__')) {
            throw new GrpcException(Code::UNIMPLEMENTED, "the worker does not implement {$call->service}/{$call->method}");
        }

        return [$service, $call->method];
    }

    /** The message as the handler wants it. */
    private static function argument(callable $handler, string $message): mixed
    {
        $type = ((new \ReflectionFunction($handler(...)))->getParameters()[0] ?? null)?->getType();
        if (!$type instanceof \ReflectionNamedType || $type->isBuiltin()) {
            return $message;
        }
        $class = $type->getName();
        $object = new $class();
        try {
            $object->mergeFromString($message);
        } catch (\Exception $e) {
            throw new GrpcException(Code::INVALID_ARGUMENT, "the message is no {$class}: {$e->getMessage()}", $e);
        }

        return $object;
    }

    private static function bytes(mixed $result): string
    {
        return match (true) {
            \is_string($result) => $result,
            \is_object($result) && \method_exists($result, 'serializeToString') => $result->serializeToString(),
            default => throw new \UnexpectedValueException('a method returns bytes, a message, or an iterable of these'),
        };
    }
}
