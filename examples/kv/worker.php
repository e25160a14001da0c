<?php

declare(strict_types=1);

require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Http\Request;
use PyRoadRunner\Http\Server;
use PyRoadRunner\Kv\Kv;

$cache = Kv::create('cache');

/** What takes long and is the same for a while: made by one worker, kept for all, for two seconds. */
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
    // How often this address came in the last minute; the counter goes by itself.
    $visits = $cache->increment("visits:{$request->remoteAddr}", ttl: 60);

    return "Visit {$visits}; the report " . report($cache) . "\n";
});
