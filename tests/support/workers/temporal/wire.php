<?php

declare(strict_types=1);

// The messages between the server and a Temporal worker in PHP, as temporal/sdk has them (temporal.v1.Message).

namespace Workflows;

use PyRoadRunner\Protobuf;

/** A failure of Temporal, readable as an exception. */
final class Failure extends \Exception
{
    /** @param array<mixed> $details */
    public function __construct(
        string $message,
        public readonly string $kind = 'application',
        public readonly string $type = '',
        public readonly bool $nonRetryable = false,
        public readonly array $details = [],
        public readonly ?Failure $cause = null,
        public readonly string $raw = '',
    ) {
        parent::__construct($message);
    }

    /** @return array<string, mixed> */
    public function toArray(): array
    {
        return \array_filter([
            'kind' => $this->kind, 'type' => $this->type, 'message' => $this->getMessage(),
            'details' => $this->details, 'cause' => $this->cause?->toArray(),
        ]);
    }
}

final class Message
{
    /** @param array<mixed> $options @param ?list<string> $payloads encoded ones @param array<string, string> $header */
    public function __construct(
        public int $id,
        public string $command = '',
        public array $options = [],
        public ?array $payloads = null,
        public ?Failure $failure = null,
        public array $header = [],
        public string $runId = '',
    ) {}
}

function encodeValue(mixed $value): string
{
    if ($value === null) {
        return Protobuf::bytes(1, Protobuf::bytes(1, 'encoding') . Protobuf::bytes(2, 'binary/null'));
    }
    $metadata = Protobuf::bytes(1, Protobuf::bytes(1, 'encoding') . Protobuf::bytes(2, 'json/plain'));

    return $metadata . Protobuf::bytes(2, \json_encode($value, JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION));
}

function decodeValue(string $payload): mixed
{
    foreach (Protobuf::fields($payload) as [$number, $value]) {
        if ($number === 2 && $value !== '') {
            return \json_decode((string) $value, true, flags: JSON_THROW_ON_ERROR);
        }
    }

    return null;
}

/** @return list<string> */
function payloadsOf(string $payloads): array
{
    return \array_map(static fn(array $field): string => (string) $field[1], Protobuf::fields($payloads));
}

/** @param list<string> $payloads */
function encodePayloads(array $payloads): string
{
    return \implode('', \array_map(static fn(string $one): string => Protobuf::bytes(1, $one), $payloads));
}

function encodeFailure(Failure $failure): string
{
    if ($failure->raw !== '') {
        return $failure->raw;
    }
    $bytes = Protobuf::bytes(1, $failure->getMessage()) . Protobuf::bytes(2, 'PHP_SDK');
    if ($failure->cause !== null) {
        $bytes .= Protobuf::bytes(4, encodeFailure($failure->cause));
    }
    $details = $failure->details === []
        ? ''
        : encodePayloads(\array_map(encodeValue(...), $failure->details));
    if ($failure->kind === 'canceled') {
        return $bytes . Protobuf::bytes(7, $details === '' ? '' : Protobuf::bytes(1, $details));
    }

    return $bytes . Protobuf::bytes(5, Protobuf::bytes(1, $failure->type)
        . Protobuf::int(2, (int) $failure->nonRetryable)
        . ($details === '' ? '' : Protobuf::bytes(2 + 1, $details)));
}

function decodeFailure(string $bytes): Failure
{
    $kinds = [5 => 'application', 6 => 'timeout', 7 => 'canceled', 8 => 'terminated', 9 => 'server', 11 => 'activity', 12 => 'child'];
    $message = $type = '';
    $kind = 'none';
    $nonRetryable = false;
    $details = [];
    $cause = null;
    foreach (Protobuf::fields($bytes) as [$number, $value]) {
        if ($number === 1) {
            $message = (string) $value;
        } elseif ($number === 4) {
            $cause = decodeFailure((string) $value);
        } elseif (isset($kinds[$number])) {
            $kind = $kinds[$number];
            foreach (Protobuf::fields((string) $value) as [$field, $content]) {
                if ($kind === 'application') {
                    match ($field) {
                        1 => $type = (string) $content,
                        2 => $nonRetryable = (bool) $content,
                        3 => $details = \array_map(decodeValue(...), payloadsOf((string) $content)),
                        default => null,
                    };
                } elseif ($kind === 'canceled' && $field === 1) {
                    $details = \array_map(decodeValue(...), payloadsOf((string) $content));
                }
            }
        }
    }

    return new Failure($message, $kind, $type, $nonRetryable, $details, $cause, $bytes);
}

/** @return list<Message> */
function decodeFrame(string $body): array
{
    $messages = [];
    foreach (Protobuf::fields($body) as [, $bytes]) {
        $message = new Message(0);
        foreach (Protobuf::fields((string) $bytes) as [$number, $value]) {
            match ($number) {
                1 => $message->id = (int) $value,
                2 => $message->command = (string) $value,
                3 => $message->options = \json_decode((string) $value, true, flags: JSON_THROW_ON_ERROR),
                4 => $message->failure = decodeFailure((string) $value),
                5 => $message->payloads = payloadsOf((string) $value),
                6 => $message->header = decodeHeader((string) $value),
                8 => $message->runId = (string) $value,
                default => null,
            };
        }
        $messages[] = $message;
    }

    return $messages;
}

/** @return array<string, string> encoded payloads by name */
function decodeHeader(string $bytes): array
{
    $header = [];
    foreach (Protobuf::fields($bytes) as [, $entry]) {
        $fields = \array_column(Protobuf::fields((string) $entry), 1, 0);
        $header[(string) $fields[1]] = (string) ($fields[2] ?? '');
    }

    return $header;
}

/** @param list<Message> $messages */
function encodeFrame(array $messages): string
{
    $body = '';
    foreach ($messages as $message) {
        $bytes = $message->id === 0 ? '' : Protobuf::int(1, $message->id);
        if ($message->command !== '') {
            $options = \json_encode((object) $message->options, JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION);
            $bytes .= Protobuf::bytes(2, $message->command) . Protobuf::bytes(3, $options);
        }
        if ($message->failure !== null) {
            $bytes .= Protobuf::bytes(4, encodeFailure($message->failure));
        }
        if ($message->payloads !== null) {
            $bytes .= Protobuf::bytes(5, encodePayloads($message->payloads));
        }
        if ($message->header !== []) {
            $fields = '';
            foreach ($message->header as $name => $payload) {
                $fields .= Protobuf::bytes(1, Protobuf::bytes(1, $name) . Protobuf::bytes(2, $payload));
            }
            $bytes .= Protobuf::bytes(6, $fields);
        }
        $body .= Protobuf::bytes(1, $bytes . Protobuf::bytes(8, $message->runId));
    }

    return $body;
}
