<?php

declare(strict_types=1);

namespace PyRoadRunner\Rpc;

/** As much of protobuf's encoding as small messages need: strings, bytes, messages in messages, 64-bit integers. */
final class Protobuf
{
    /** A field with bytes: a string, or a message that is encoded already. Empty ones are sent too. */
    public static function bytes(int $number, string $value): string
    {
        return self::varint($number << 3 | 2) . self::varint(\strlen($value)) . $value;
    }

    /** A field with an int64. */
    public static function int(int $number, int $value): string
    {
        return self::varint($number << 3) . self::varint($value);
    }

    /**
     * The fields of a message in their order: a number and a string or an int each. Others are passed over.
     *
     * @return list<array{int, string|int}>
     *
     * @throws RpcException the bytes are no message
     */
    public static function fields(string $message): array
    {
        $fields = [];
        for ($at = 0, $end = \strlen($message); $at < $end;) {
            $tag = self::read($message, $at);
            $value = match ($tag & 7) {
                0 => self::read($message, $at),
                1 => self::take($message, $at, 8),
                2 => self::take($message, $at, self::read($message, $at)),
                5 => self::take($message, $at, 4),
                default => throw new RpcException('the answer is no protobuf message'),
            };
            if (($tag & 7) === 0 || ($tag & 7) === 2) {
                $fields[] = [$tag >> 3, $value];
            }
        }

        return $fields;
    }

    private static function varint(int $value): string
    {
        $bytes = '';
        while ($value < 0 || $value > 0x7F) {
            $bytes .= \chr($value & 0x7F | 0x80);
            $value = ($value >> 7) & (\PHP_INT_MAX >> 6); // a shift that brings in zeros
        }

        return $bytes . \chr($value);
    }

    private static function read(string $message, int &$at): int
    {
        $value = 0;
        for ($shift = 0; $shift < 70; $shift += 7) {
            $byte = \ord($message[$at++] ?? throw new RpcException('the answer is cut short'));
            $value |= ($byte & 0x7F) << $shift;
            if ($byte < 0x80) {
                return $value;
            }
        }
        throw new RpcException('the answer is no protobuf message');
    }

    private static function take(string $message, int &$at, int $size): string
    {
        if ($size < 0 || $size > \strlen($message) - $at) {
            throw new RpcException('the answer is cut short');
        }
        $at += $size;

        return \substr($message, $at - $size, $size);
    }
}
