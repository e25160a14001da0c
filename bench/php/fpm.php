<?php

declare(strict_types=1);

require __DIR__ . '/work.php';

$body = $_SERVER['REQUEST_METHOD'] === 'POST' ? file_get_contents('php://input') : '';
echo answer($_SERVER['DOCUMENT_URI'], $body);
