<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';
if (is_file(__DIR__ . '/vendor/autoload.php')) { // composer require symfony/framework-bundle symfony/mercure
    require __DIR__ . '/vendor/autoload.php';
} else { // Debian: apt-get install php-symfony-framework-bundle php-symfony-mercure
    require 'Symfony/Bundle/FrameworkBundle/autoload.php';
    require 'Symfony/Component/Mercure/autoload.php';
}
require __DIR__ . '/Kernel.php';

use PyRoadRunner\Http\HttpFoundation;
use PyRoadRunner\Http\HttpWorker;
use Symfony\Component\HttpKernel\TerminableInterface;

$http = HttpWorker::create();
$kernel = new Kernel($_SERVER['APP_ENV'] ?? 'prod', (bool) ($_SERVER['APP_DEBUG'] ?? false));
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
    // Reset services that keep the state of a request (entity managers, loggers, token storage).
    $container = $kernel->getContainer();
    if ($container->has('services_resetter')) {
        $container->get('services_resetter')->reset();
    }
    unset($incoming, $request, $response, $error);
}
