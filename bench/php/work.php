<?php

declare(strict_types=1);

// What every subject does for a request: the same work, whoever carries it here.

/** The answer to one path of the bench. */
function answer(string $path, string $body): string
{
    return match ($path) {
        '/hello' => 'Hello world!',
        '/post' => 'got ' . strlen($body),
        '/large' => large(),
        '/app' => page(),
        '/boot' => 'booted ' . boot() . ' classes',
        default => 'no such load: ' . $path,
    };
}

/** 100 KB that a worker keeps ready, as from a cache. */
function large(): string
{
    static $text = null;

    return $text ??= str_repeat("0123456789abcdef0123456789abcde\n", 3200);
}

/** A page, as short as a framework's page without content. */
function browser(int $cookies): string
{
    static $lines = null;
    $lines ??= str_repeat("<p>A line of the page, of 40 bytes.</p>\n", 36);

    return "<!doctype html><title>{$cookies} cookies</title>\n{$lines}";
}

/**
 * Its headers: two cookies with values of 180 bytes, other ones each time, as Laravel encrypts them anew for each answer.
 *
 * @return array<string, string|list<string>>
 */
function browserHeaders(): array
{
    static $rest = null;
    $rest ??= substr(str_repeat('c2Vzc2lvbiBvZiBhIGJyb3dzZXIg', 6), 0, 153) . '%3D; path=/; samesite=lax';
    $token = 'eyJpdiI6' . sprintf('%016x', hrtime(true)) . $rest;

    return [
        'Content-Type' => 'text/html; charset=UTF-8',
        'Cache-Control' => 'no-cache, private',
        'Vary' => 'Accept-Language',
        'X-Frame-Options' => 'SAMEORIGIN',
        'X-Content-Type-Options' => 'nosniff',
        'Referrer-Policy' => 'same-origin',
        'Set-Cookie' => ["XSRF-TOKEN={$token}", "laravel_session={$token}; httponly"],
    ];
}

/**
 * Loads the class files of bench/classes.py and makes the services, as a framework does when it boots: once in the life
 * of a worker, for each request with php-fpm. Returns the number of classes.
 */
function boot(): int
{
    static $loaded = 0;
    static $container = [];
    if ($loaded > 0) {
        return $loaded;
    }
    $folder = $_SERVER['BENCH_CLASSES'];
    spl_autoload_register(static function (string $class) use ($folder, &$loaded): void {
        require $folder . '/' . strtr(substr($class, strlen('Bench\\')), '\\', '/') . '.php';
        ++$loaded;
    });
    foreach (require $folder . '/services.php' as $class) {
        $container[$class] = new $class();
    }

    return $loaded;
}

/**
 * About 2 ms of the CPU: what a small application does for a page. A list of records is made, filtered, sorted,
 * grouped, rendered with escaping and put into JSON.
 */
function page(): string
{
    $rows = [];
    for ($i = 0; $i < ROWS; ++$i) {
        $rows[] = ['id' => $i, 'name' => 'Item <' . $i . '> & "co"', 'price' => ($i * 7919) % 1000, 'tag' => 't' . $i % 7];
    }
    $rows = array_filter($rows, static fn (array $row): bool => $row['price'] > 50);
    usort($rows, static fn (array $a, array $b): int => $a['price'] <=> $b['price'] ?: $a['id'] <=> $b['id']);
    $groups = [];
    foreach ($rows as $row) {
        $groups[$row['tag']][] = $row;
    }
    ksort($groups);
    $html = '';
    foreach ($groups as $tag => $items) {
        $html .= "<h2>{$tag}</h2>\n<ul>\n";
        foreach ($items as $row) {
            $html .= '<li id="' . $row['id'] . '">' . htmlspecialchars($row['name']) . ' '
                . number_format($row['price'] / 100, 2) . "</li>\n";
        }
        $html .= "</ul>\n";
    }
    $state = json_encode(array_slice($rows, 0, 20), JSON_THROW_ON_ERROR);

    return '<!doctype html><title>' . count($rows) . ' items, ' . crc32($html) . "</title>\n<script>const state = {$state}</script>";
}

const ROWS = 1200;
