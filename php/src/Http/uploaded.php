<?php

declare(strict_types=1);

// symfony/http-foundation asks PHP whether a file was uploaded, but PHP does not know the uploads of this server. So
// these functions replace PHP's. (PHP looks up a function in the current namespace first.)

namespace Symfony\Component\HttpFoundation\File;

if (!\function_exists(__NAMESPACE__ . '\is_uploaded_file')) {
    function is_uploaded_file(string $filename): bool
    {
        return \is_file($filename);
    }
}

if (!\function_exists(__NAMESPACE__ . '\move_uploaded_file')) {
    function move_uploaded_file(string $from, string $to): bool
    {
        return \is_file($from) && \rename($from, $to);
    }
}
