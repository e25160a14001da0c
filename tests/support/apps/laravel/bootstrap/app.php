<?php

// The smallest Laravel application: no database, no views, three routes.

declare(strict_types=1);

use Illuminate\Config\Repository;
use Illuminate\Contracts\Debug\ExceptionHandler;
use Illuminate\Contracts\Http\Kernel as KernelContract;
use Illuminate\Foundation\Application;
use Illuminate\Foundation\Exceptions\Handler;
use Illuminate\Foundation\Http\Kernel;
use Illuminate\Http\Request;
use Illuminate\Routing\RoutingServiceProvider;

$app = new Application($_SERVER['APP_BASE_PATH']);
$app->instance('config', new Repository(['app' => ['env' => getenv('APP_ENV'), 'debug' => true]]));

$app->singleton(KernelContract::class, get_class(new class($app, $app['router']) extends Kernel {
    protected $bootstrappers = [];
}));
$app->singleton(ExceptionHandler::class, get_class(new class($app) extends Handler {
    public function report(Throwable $e)
    {
        throw $e; // as Octane's worker does for what nobody handled
    }
}));

$router = $app['router'];
$router->get('/env', static fn () => ['env' => getenv('APP_ENV'), 'octane' => getenv('LARAVEL_OCTANE'), 'pid' => getmypid()]);
$router->post('/form/{name}', static fn (Request $request, string $name) => [
    'name' => $name,
    'input' => $request->except('file'),
    'url' => $request->fullUrl(),
    'file' => $request->hasFile('file') ? $request->file('file')->get() : null,
]);
$router->get('/throw', static fn () => throw new RuntimeException('thrown in a route'));
$router->get('/say', static function () {
    fwrite(STDERR, "plain words\n");

    return 'said';
});
$router->get('/say-and-throw', static function () {
    fwrite(STDERR, 'no line break');
    throw new RuntimeException('thrown behind it');
});
$router->get('/shutdown', static function () {
    fwrite(STDERR, '{"type":"shutdown"}' . "\n");

    return 'bye';
});

return $app;
