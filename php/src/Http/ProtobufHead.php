<?php

declare(strict_types=1);

namespace PyRoadRunner\Http;

use PyRoadRunner\Protobuf;
use PyRoadRunner\ProtobufException;

/**
 * Heads of requests and responses in protobuf: http.v1.Request and http.v1.Response, as RoadRunner uses them.
 * Differences from JSON: empty fields are omitted, and every value of a map is a list.
 */
final class ProtobufHead
{
    /**
     * The head of a request, with the names of the JSON form.
     *
     * @return array{
     *     remoteAddr: string, protocol: string, method: string, uri: string, rawQuery: string, parsed: bool,
     *     headers: array<string, list<string>>, cookies: array<string, string>, attributes: array<string, string>,
     *     uploads: array<mixed>|null
     * }
     *
     * @throws ProtobufException the bytes are not such a message
     * @throws \JsonException    the uploads are not JSON
     */
    public static function decode(string $message): array
    {
        $text = [1 => '', 2 => '', 3 => '', 4 => '', 7 => '', 9 => ''];
        $maps = [5 => [], 6 => [], 10 => []];
        $parsed = false;
        foreach (Protobuf::fields($message) as [$number, $value]) {
            if (isset($text[$number]) && \is_string($value)) {
                $text[$number] = $value;
            } elseif (isset($maps[$number]) && \is_string($value)) {
                [$name, $values] = self::entry($value);
                $maps[$number][$name] = $values;
            } elseif ($number === 8) {
                $parsed = $value !== 0;
            }
        }

        return [
            'remoteAddr' => $text[1],
            'protocol' => $text[2],
            'method' => $text[3],
            'uri' => $text[4],
            'headers' => $maps[5],
            'cookies' => \array_map(static fn (array $values): string => \implode(',', $values), $maps[6]),
            'rawQuery' => $text[7],
            'parsed' => $parsed,
            'uploads' => $text[9] === '' ? null : \json_decode($text[9], true, 512, JSON_THROW_ON_ERROR),
            'attributes' => \array_map(static fn (array $values): string => $values[0] ?? '', $maps[10]),
        ];
    }

    /**
     * The head of a response.
     *
     * @param array<string, string|list<string>> $headers
     */
    public static function encode(int $status, array $headers): string
    {
        $message = Protobuf::int(1, $status);
        foreach ($headers as $name => $values) {
            $list = '';
            foreach ((array) $values as $value) {
                $list .= Protobuf::bytes(1, (string) $value);
            }
            $message .= Protobuf::bytes(2, Protobuf::bytes(1, (string) $name) . Protobuf::bytes(2, $list));
        }

        return $message;
    }

    /** @return array{string, list<string>} key and HeaderValue of a map's entry */
    private static function entry(string $message): array
    {
        $name = '';
        $values = [];
        foreach (Protobuf::fields($message) as [$number, $value]) {
            if ($number === 1) {
                $name = (string) $value;
            } elseif ($number === 2 && \is_string($value)) {
                $values = \array_column(Protobuf::fields($value), 1);
            }
        }

        return [$name, $values];
    }
}
