<?php

declare(strict_types=1);

// Loads this library without Composer: require this file first in a worker, before any code that prints.

spl_autoload_register(static function (string $class): void {
    if (str_starts_with($class, 'PyRoadRunner\\')) {
        $file = __DIR__ . '/src/' . strtr(substr($class, 13), '\\', '/') . '.php';
        if (is_file($file)) {
            require $file;
        }
    }
});
