<?php

declare(strict_types=1);

namespace PyRoadRunner;

/**
 * Sends the output of the application (echo, var_dump, warnings) to stderr, which the server logs.
 *
 * Over pipes, stdout carries the frames: after one stray byte there the server kills the worker.
 */
final class StrayOutput
{
    /** Redirects further output, and the content of output buffers. Cheap if already active. */
    public static function toStderr(): void
    {
        if (ob_get_level() > 0 && (ob_list_handlers()[0] ?? '') === self::class . '::write') {
            return;
        }
        // Without `error_log`, PHP logs errors to stderr. Displaying them there as well would show each error twice.
        $logged = filter_var(ini_get('log_errors'), FILTER_VALIDATE_BOOL) && (string) ini_get('error_log') === '';
        ini_set('display_errors', $logged ? '0' : 'stderr');
        $early = '';
        while (ob_get_level() > 0 && (ob_get_status()['flags'] & PHP_OUTPUT_HANDLER_REMOVABLE)) {
            $early = ob_get_contents() . $early;
            ob_end_clean();
        }
        self::write($early);
        ob_start([self::class, 'write'], 1); // 1: flush at every echo, not when the buffer is full
    }

    /** The output handler: returns nothing for stdout. */
    public static function write(string $text): string
    {
        if ($text !== '') {
            fwrite(STDERR, $text);
        }

        return '';
    }
}
