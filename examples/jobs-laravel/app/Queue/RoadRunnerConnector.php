<?php

declare(strict_types=1);

namespace App\Queue;

use Illuminate\Queue\Connectors\ConnectorInterface;
use PyRoadRunner\Jobs\Jobs;

/** Makes the connection `roadrunner` of config/queue.php. */
final class RoadRunnerConnector implements ConnectorInterface
{
    public function connect(array $config): RoadRunnerQueue
    {
        return new RoadRunnerQueue(Jobs::create(), $config['queue'] ?? 'default');
    }
}
