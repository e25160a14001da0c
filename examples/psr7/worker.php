<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';
require is_file(__DIR__ . '/vendor/autoload.php')
    ? __DIR__ . '/vendor/autoload.php' // composer require nyholm/psr7
    : 'Nyholm/Psr7/autoload.php'; // Debian: apt-get install php-nyholm-psr7

use Nyholm\Psr7\Factory\Psr17Factory;
use Nyholm\Psr7\Response;
use Psr\Http\Message\ResponseInterface;
use Psr\Http\Message\ServerRequestInterface;
use PyRoadRunner\Http\HttpWorker;
use PyRoadRunner\Http\Psr7;

/** Yours: Slim, Mezzio, any PSR-15 handler. */
$handle = static function (ServerRequestInterface $request): ResponseInterface {
    $files = array_map(
        static fn ($file) => [$file->getClientFilename(), (string) $file->getStream()],
        $request->getUploadedFiles(),
    );

    return $request->getUri()->getPath() === '/large'
        ? new Response(200, [], str_repeat("0123456789abcdef\n", 100_000))
        : new Response(200, ['Content-Type' => 'application/json'], json_encode([
            'method' => $request->getMethod(),
            'uri' => (string) $request->getUri(),
            'protocol' => $request->getProtocolVersion(),
            'host' => $request->getHeaderLine('Host'),
            'query' => $request->getQueryParams(),
            'parsed' => $request->getParsedBody(),
            'body' => (string) $request->getBody(),
            'files' => $files,
            'address' => $request->getServerParams()['REMOTE_ADDR'],
        ], JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES));
};

$http = HttpWorker::create();
$factory = new Psr17Factory();
$psr7 = new Psr7($factory, $factory, $factory);
while (($incoming = $http->waitRequest()) !== null) {
    try {
        $psr7->respond($http, $handle($psr7->request($incoming)));
    } catch (Throwable $error) {
        $http->error((string) $error);
    }
    unset($incoming, $error);
}
