<?php

declare(strict_types=1);

// The function of FrankenPHP. symfony/mercure publishes with it, without HTTP and without a token, if it exists; so this
// file is loaded only by applications that want that: require getenv('RR_PHP_LIBRARY') . '/src/Mercure/functions.php';

use PyRoadRunner\Mercure\Mercure;

if (!\function_exists('mercure_publish')) {
    /**
     * Publishes an update on the server's Mercure hub.
     *
     * @param string|list<string> $topics
     *
     * @return string the id of the update
     */
    function mercure_publish(
        string|array $topics,
        string $data = '',
        bool $private = false,
        ?string $id = null,
        ?string $type = null,
        ?int $retry = null,
    ): string {
        static $hub = null;
        $hub ??= Mercure::create();

        return $hub->publish($topics, $data, $private, $id, $type, $retry);
    }
}
