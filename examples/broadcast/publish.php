<?php

declare(strict_types=1);

// Publishes its argument: what the package spiral/roadrunner-broadcast does, without Composer.
require getenv('RR_PHP_LIBRARY') . '/autoload.php';

use PyRoadRunner\Protobuf;
use PyRoadRunner\Rpc\Rpc;

if (!isset($argv[1])) {
    fwrite(STDERR, "usage: php publish.php TEXT\n");
    exit(1);
}
$message = Protobuf::bytes(2, 'news') . Protobuf::bytes(3, $argv[1]); // topic, payload
Rpc::create()->callProto('broadcast.Publish', Protobuf::bytes(1, $message));
