<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Server;
use PyRoadRunner\Kv\Kv;

$cache = Kv::create('cache');

/** A report that takes long to make: one worker makes it, and all workers use it for two seconds. */
function report(Kv $cache): string
{
    $report = $cache->get('report');
    if ($report === null && $cache->add('report.lock', (string) getmypid(), ttl: 5)) {
        $report = 'made at ' . date('H:i:s') . ' by worker ' . getmypid();
        $cache->set('report', $report, ttl: 2);
        $cache->delete('report.lock');
    }

    return $report ?? 'is being made by another worker';
}

Server::run(static function (Request $request) use ($cache): string {
    // Requests of this address within a minute; the counter expires by itself.
    $visits = $cache->increment("visits:{$request->remoteAddr}", ttl: 60);

    return "Visit {$visits}; the report " . report($cache) . "\n";
});
