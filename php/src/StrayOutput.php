<?php

declare(strict_types=1);

namespace PyRoadRunner;

/**
 * Sends what the application prints (echo, var_dump, warnings) to stderr, where the server logs it.
 *
 * Over pipes stdout belongs to the frames: one stray byte there costs the worker its life.
 */
final class StrayOutput
{
    /** Takes over from here on, and moves what waits in output buffers. Cheap when already in place. */
    public static function toStderr(): void
    {
        if (ob_get_level() > 0 && (ob_list_handlers()[0] ?? '') === self::class . '::write') {
            return;
        }
        // Without a file for it PHP's error log is stderr: displayed there as well, each error would be there twice.
        $logged = filter_var(ini_get('log_errors'), FILTER_VALIDATE_BOOL) && (string) ini_get('error_log') === '';
        ini_set('display_errors', $logged ? '0' : 'stderr');
        $early = '';
        while (ob_get_level() > 0 && (ob_get_status()['flags'] & PHP_OUTPUT_HANDLER_REMOVABLE)) {
            $early = ob_get_contents() . $early;
            ob_end_clean();
        }
        self::write($early);
        ob_start([self::class, 'write'], 1); // 1: handed over with every echo, not when a buffer is full
    }

    /** The output handler: nothing is left for stdout. */
    public static function write(string $text): string
    {
        if ($text !== '') {
            fwrite(STDERR, $text);
        }

        return '';
    }
}
