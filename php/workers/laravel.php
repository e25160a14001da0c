<?php

// Serves a Laravel application without Octane. Each request gets a fresh application, as under PHP-FPM, so nothing stays
// from one request to the next; PHP and its classes stay loaded. Octane keeps the application, too, and is faster.

declare(strict_types=1);

ini_set('display_errors', 'stderr');

require getenv('RR_PHP_LIBRARY') . '/autoload.php';
require __DIR__ . '/vendor/autoload.php';

use Illuminate\Contracts\Http\Kernel;
use Illuminate\Http\Request;
use Illuminate\Support\Facades\Facade;
use PyRoadRunner\Http\HttpFoundation;
use PyRoadRunner\Http\HttpWorker;

$_ENV['APP_RUNNING_IN_CONSOLE'] = false;
Request::enableHttpMethodParameterOverride();
$http = HttpWorker::create();

while (($incoming = $http->waitRequest()) !== null) {
    try {
        Facade::clearResolvedInstances();
        $app = require __DIR__ . '/bootstrap/app.php';
        $kernel = $app->make(Kernel::class);
        $request = HttpFoundation::request($incoming, Request::class);
        $response = $kernel->handle($request);
        HttpFoundation::respond($http, $response);
        $kernel->terminate($request, $response);
        $app->flush();
    } catch (Throwable $error) {
        $http->error((string) $error);
    }
    restore_error_handler(); // each application sets its own
    restore_exception_handler();
    unset($incoming, $app, $kernel, $request, $response, $error);
}
