<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Grpc\Call;
use PyRoadRunner\Grpc\Code;
use PyRoadRunner\Grpc\GrpcException;
use PyRoadRunner\Grpc\GrpcWorker;
use PyRoadRunner\Protobuf;

// Without the package google/protobuf, messages are bytes. With it, declare the classes that protoc generates:
// public function Greet(Person $person, Call $call): Greeting
final class Greeter
{
    public function Greet(string $message, Call $call): string
    {
        $call->addTrailer('x-worker', (string) getmypid());

        return self::greeting('Hello, ' . self::name($message) . '!');
    }

    /** @return iterable<string> the messages of the stream */
    public function Count(string $message): iterable
    {
        $name = self::name($message);
        $times = array_column(Protobuf::fields($message), 1, 0)[2] ?? 3;
        for ($number = 1; $number <= $times; ++$number) {
            yield self::greeting("{$number}: {$name}");
        }
    }

    private static function name(string $message): string
    {
        $name = array_column(Protobuf::fields($message), 1, 0)[1] ?? '';

        return $name !== '' ? $name : throw new GrpcException(Code::INVALID_ARGUMENT, 'a person has a name');
    }

    private static function greeting(string $text): string
    {
        return Protobuf::bytes(1, $text);
    }
}

GrpcWorker::create()->service('greeter.Greeter', new Greeter())->run();
