<?php

declare(strict_types=1);

namespace PyRoadRunner\Http;

use Psr\Http\Message\ResponseInterface;
use Psr\Http\Message\ServerRequestFactoryInterface;
use Psr\Http\Message\ServerRequestInterface;
use Psr\Http\Message\StreamFactoryInterface;
use Psr\Http\Message\StreamInterface;
use Psr\Http\Message\UploadedFileFactoryInterface;
use Psr\Http\Message\UploadedFileInterface;

/** Requests and responses of PSR-7 (Slim, Mezzio, Spiral ...). Needs an implementation with its PSR-17 factories. */
final class Psr7
{
    private const PIECE = 65536; // bytes: a larger body is sent piece by piece

    public function __construct(
        private readonly ServerRequestFactoryInterface $requests,
        private readonly StreamFactoryInterface $streams,
        private readonly UploadedFileFactoryInterface $files,
    ) {
    }

    public function request(Request $request): ServerRequestInterface
    {
        $server = HttpFoundation::server($request);
        $psr = $this->requests->createServerRequest($request->method, $request->uri, $server)
            ->withProtocolVersion(\str_replace(['HTTP/', '2.0'], ['', '2'], $request->protocol))
            ->withQueryParams($request->query)
            ->withCookieParams($request->cookies)
            ->withParsedBody($request->parsed)
            ->withUploadedFiles($this->uploads($request->uploads));
        foreach ($request->headers as $name => $values) {
            $psr = $psr->withHeader((string) $name, $values);
        }
        foreach ($request->attributes as $name => $value) {
            $psr = $psr->withAttribute($name, $value);
        }

        return $request->parsed === null && $request->body !== ''
            ? $psr->withBody($this->streams->createStream($request->body))
            : $psr;
    }

    public function respond(HttpWorker $http, ResponseInterface $response): void
    {
        $body = $response->getBody();
        $size = $body->getSize();
        $http->respond(
            $response->getStatusCode(),
            $size !== null && $size <= self::PIECE ? (string) $body : self::pieces($body),
            $response->getHeaders(),
        );
    }

    /** @return \Generator<string> */
    private static function pieces(StreamInterface $body): \Generator
    {
        if ($body->isSeekable()) {
            $body->rewind();
        }
        while (!$body->eof()) {
            yield $body->read(self::PIECE);
        }
    }

    /**
     * @param array<UploadedFile|array<mixed>> $uploads
     *
     * @return array<UploadedFileInterface|array<mixed>>
     */
    private function uploads(array $uploads): array
    {
        return \array_map(fn (UploadedFile|array $file) => \is_array($file)
            ? $this->uploads($file)
            : $this->files->createUploadedFile(
                $file->error === UPLOAD_ERR_OK
                    ? $this->streams->createStreamFromFile($file->tmpName)
                    : $this->streams->createStream(),
                $file->size,
                $file->error,
                $file->name,
                $file->mime,
            ), $uploads);
    }
}
