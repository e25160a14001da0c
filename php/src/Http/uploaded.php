<?php

declare(strict_types=1);

// symfony/http-foundation asks PHP whether a file came with a request, and PHP knows nothing of ours: what it asks is
// answered here. (A function of a namespace is looked for there first.)

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
