<?php

// Serves a Symfony application. The kernel boots once; after each request the services that keep its state are reset.

declare(strict_types=1);

ini_set('display_errors', 'stderr');

require getenv('RR_PHP_LIBRARY') . '/autoload.php';
require __DIR__ . '/vendor/autoload.php';

use {{kernel}};
use PyRoadRunner\Http\HttpFoundation;
use PyRoadRunner\Http\HttpWorker;
use Symfony\Component\Dotenv\Dotenv;
use Symfony\Component\HttpKernel\TerminableInterface;

if (class_exists(Dotenv::class) && is_file(__DIR__ . '/.env')) {
    (new Dotenv())->bootEnv(__DIR__ . '/.env');
}
$environment = $_SERVER['APP_ENV'] ?? 'dev';
$http = HttpWorker::create();
$kernel = new {{class}}($environment, (bool) ($_SERVER['APP_DEBUG'] ?? $environment !== 'prod'));
$kernel->boot();

while (($incoming = $http->waitRequest()) !== null) {
    try {
        $request = HttpFoundation::request($incoming);
        $response = $kernel->handle($request);
        HttpFoundation::respond($http, $response);
        if ($kernel instanceof TerminableInterface) {
            $kernel->terminate($request, $response);
        }
    } catch (Throwable $error) {
        $http->error((string) $error);
    }
    $container = $kernel->getContainer();
    if ($container->has('services_resetter')) {
        $container->get('services_resetter')->reset();
    }
    unset($incoming, $request, $response, $error);
}
