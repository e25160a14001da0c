<?php

declare(strict_types=1);

namespace PyRoadRunner\Http;

use Symfony\Component\HttpFoundation\File\UploadedFile as FoundationFile;
use Symfony\Component\HttpFoundation\Request as FoundationRequest;
use Symfony\Component\HttpFoundation\Response as FoundationResponse;
use Symfony\Component\HttpFoundation\StreamedResponse;
use Symfony\Component\HttpFoundation\BinaryFileResponse;

/** Requests and responses of symfony/http-foundation (Symfony, Laravel, Drupal ...). Needs that package. */
final class HttpFoundation
{
    private const PIECE = 65536; // bytes of a streamed response that are collected before they are sent

    /**
     * The request; for a form without the raw body, which the server does not keep.
     *
     * @param class-string<FoundationRequest> $class Laravel has its own
     */
    public static function request(Request $request, string $class = FoundationRequest::class): FoundationRequest
    {
        if ($request->uploads !== []) {
            require_once __DIR__ . '/uploaded.php';
        }

        return new $class(
            $request->query,
            $request->parsed ?? [],
            $request->attributes,
            $request->cookies,
            self::files($request->uploads),
            self::server($request),
            $request->parsed === null ? $request->body : '',
        );
    }

    /** Sends the response with its headers; streamed responses and files are sent piece by piece. */
    public static function respond(HttpWorker $http, FoundationResponse $response): void
    {
        $headers = $response->headers->all(); // includes cookies
        if (!$response instanceof StreamedResponse && !$response instanceof BinaryFileResponse) {
            $http->respond($response->getStatusCode(), (string) $response->getContent(), $headers);

            return;
        }
        $send = $http->pieces($response->getStatusCode(), $headers);
        $failed = null;
        // The response prints; this handler sends each piece of the buffer. Exceptions in an output handler are lost.
        ob_start(static function (string $piece) use ($send, &$failed): string {
            try {
                if ($piece !== '' && $failed === null) {
                    $send($piece);
                }
            } catch (\Throwable $failed) {
            }

            return '';
        }, self::PIECE);
        try {
            $response->sendContent();
        } finally {
            ob_end_flush();
        }
        if ($failed !== null) {
            throw $failed;
        }
        $send(null);
    }

    /**
     * The values that PHP-FPM puts into $_SERVER.
     *
     * @return array<string, mixed>
     */
    public static function server(Request $request): array
    {
        $uri = \parse_url($request->uri) ?: [];
        $https = ($uri['scheme'] ?? 'http') === 'https';
        $host = $uri['host'] ?? '';
        $server = [
            'SERVER_PROTOCOL' => $request->protocol,
            'SERVER_NAME' => $host,
            'SERVER_PORT' => $uri['port'] ?? ($https ? 443 : 80),
            'HTTP_HOST' => $host . (isset($uri['port']) ? ":{$uri['port']}" : ''),
            'REQUEST_METHOD' => $request->method,
            'REQUEST_URI' => $request->path() . ($request->rawQuery === '' ? '' : "?{$request->rawQuery}"),
            'QUERY_STRING' => $request->rawQuery,
            'REMOTE_ADDR' => $request->remoteAddr,
            'REQUEST_TIME' => \time(),
            'REQUEST_TIME_FLOAT' => \microtime(true),
        ];
        if ($https) {
            $server['HTTPS'] = 'on';
        }
        foreach ($request->headers as $name => $values) {
            $key = \strtoupper(\strtr((string) $name, '-', '_'));
            $key = $key === 'CONTENT_TYPE' || $key === 'CONTENT_LENGTH' ? $key : "HTTP_{$key}";
            $server[$key] = \implode($key === 'HTTP_COOKIE' ? '; ' : ', ', $values);
        }

        return $server;
    }

    /**
     * @param array<UploadedFile|array<mixed>> $uploads
     *
     * @return array<FoundationFile|array<mixed>>
     */
    private static function files(array $uploads): array
    {
        return \array_map(static fn (UploadedFile|array $file) => \is_array($file)
            ? self::files($file)
            : new FoundationFile($file->tmpName, $file->name, $file->mime ?: null, $file->error), $uploads);
    }
}
