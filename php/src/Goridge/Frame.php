<?php

declare(strict_types=1);

namespace PyRoadRunner\Goridge;

/**
 * A decoded frame, and two ways to encode one.
 *
 * All integers are little-endian: 12 bytes of header (version and header length, flags, payload length, CRC-32 of these
 * six bytes, stream bits, a reserved byte), then u32 options, then the payload.
 */
final class Frame
{
    public const HEADER_SIZE = 12;
    public const MAX_OPTIONS = 10;

    // Byte 1: the kind of the frame and the codec of its payload or context.
    public const CONTROL = 0x01;
    public const RAW = 0x04;
    public const JSON = 0x08;
    public const MSGPACK = 0x10;
    public const GOB = 0x20;
    public const ERROR = 0x40;
    public const PROTO = 0x80;
    public const CODECS = self::RAW | self::JSON | self::MSGPACK | self::GOB | self::PROTO;

    // Byte 10: streams.
    public const STREAM = 0x01;
    public const STOP = 0x02;
    public const PING = 0x04;
    public const PONG = 0x08;

    /**
     * @param int       $flags   byte 1; unknown bits are kept
     * @param int       $stream  byte 10
     * @param list<int> $options the u32 options
     */
    public function __construct(
        public readonly int $flags,
        public readonly string $payload = '',
        public readonly array $options = [],
        public readonly int $stream = 0,
    ) {
    }

    /**
     * The bytes of a frame with any options.
     *
     * @param list<int> $options at most ten, each 0 to 2^32-1
     */
    public static function encode(int $flags, string $payload = '', array $options = [], int $stream = 0): string
    {
        $count = \count($options);
        if ($count > self::MAX_OPTIONS) {
            throw new FrameException("a frame carries at most 10 options, not {$count}");
        }
        $head = \pack('CCV', 0x13 + $count, $flags, \strlen($payload));

        return $head . \pack('Vv', \crc32($head), $stream) . \pack('V*', ...$options) . $payload;
    }

    /** The bytes of a worker's request or response: one option, the length of the context. The hot path. */
    public static function encodePayload(string $context, string $body, int $flags, int $stream = 0): string
    {
        $size = \strlen($context);
        $head = \pack('CCV', 0x14, $flags, $size + \strlen($body));

        return $head . \pack('VvV', \crc32($head), $stream, $size) . $context . $body;
    }
}
