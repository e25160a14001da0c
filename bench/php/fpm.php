<?php

declare(strict_types=1);

require __DIR__ . '/work.php';

if ($_SERVER['DOCUMENT_URI'] === '/browser') {
    foreach (browserHeaders() as $name => $values) {
        foreach ((array) $values as $value) {
            header("{$name}: {$value}", replace: false);
        }
    }
    echo browser(count($_COOKIE));

    return;
}
$body = $_SERVER['REQUEST_METHOD'] === 'POST' ? file_get_contents('php://input') : '';
echo answer($_SERVER['DOCUMENT_URI'], $body);
