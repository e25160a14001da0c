<?php

declare(strict_types=1);

namespace PyRoadRunner;

/** The part of protobuf's encoding that small messages need: strings, bytes, nested messages, 64-bit integers. */
final class Protobuf
{
    /** A field with bytes: a string, or an encoded message. Empty ones are sent, too. */
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
     * The fields of a message in order: each has a number and a string or an int. Fields of other types are skipped.
     *
     * @return list<array{int, string|int}>
     *
     * @throws ProtobufException the bytes are not a message
     */
    public static function fields(string $message): array
    {
        $fields = [];
        for ($at = 0, $end = \strlen($message); $at < $end;) {
            // A tag or a length is nearly always one byte: read it here, without a call.
            $tag = \ord($message[$at]);
            $tag < 0x80 ? ++$at : $tag = self::read($message, $at);
            if (($tag & 7) === 2) {
                $size = $at < $end ? \ord($message[$at]) : 0x80;
                $size < 0x80 ? ++$at : $size = self::read($message, $at);
                if ($size < 0 || $size > $end - $at) {
                    throw new ProtobufException('the protobuf message is cut short');
                }
                $fields[] = [$tag >> 3, \substr($message, $at, $size)];
                $at += $size;
            } elseif (($tag & 7) === 0) {
                $fields[] = [$tag >> 3, self::read($message, $at)];
            } else {
                self::skip($message, $at, $tag & 7);
            }
        }

        return $fields;
    }

    private static function varint(int $value): string
    {
        $bytes = '';
        while ($value < 0 || $value > 0x7F) {
            $bytes .= \chr($value & 0x7F | 0x80);
            $value = ($value >> 7) & (\PHP_INT_MAX >> 6); // a logical shift
        }

        return $bytes . \chr($value);
    }

    private static function read(string $message, int &$at): int
    {
        $value = 0;
        for ($shift = 0; $shift < 70; $shift += 7) {
            $byte = \ord($message[$at++] ?? throw new ProtobufException('the protobuf message is cut short'));
            $value |= ($byte & 0x7F) << $shift;
            if ($byte < 0x80) {
                return $value;
            }
        }
        throw new ProtobufException('not a protobuf message');
    }

    private static function skip(string $message, int &$at, int $type): void
    {
        $at += match ($type) {
            1 => 8,
            5 => 4,
            default => throw new ProtobufException('not a protobuf message'),
        };
        if ($at > \strlen($message)) {
            throw new ProtobufException('the protobuf message is cut short');
        }
    }
}
