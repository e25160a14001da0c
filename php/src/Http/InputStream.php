<?php

declare(strict_types=1);

namespace PyRoadRunner\Http;

/** `php://input` with the body of the request; other `php://` streams are PHP's own. */
final class InputStream
{
    /** @var resource|null */
    public $context;

    private static string $body = '';

    private static bool $active = false;

    /** @var resource */
    private $handle;

    public static function serve(string $body): void
    {
        self::$body = $body;
        self::replace();
    }

    public static function restore(): void
    {
        if (self::$active) {
            \stream_wrapper_restore('php');
            self::$active = false;
        }
    }

    public function stream_open(string $path, string $mode): bool
    {
        self::restore();
        try {
            if (\strtolower($path) !== 'php://input') {
                $handle = @\fopen($path, $mode);
            } else {
                $handle = \fopen('php://temp', 'r+');
                \fwrite($handle, self::$body);
                \rewind($handle);
            }
        } finally {
            self::replace();
        }
        $this->handle = $handle;

        return $handle !== false;
    }

    public function stream_read(int $count): string|false
    {
        return \fread($this->handle, $count);
    }

    public function stream_write(string $data): int
    {
        return (int) \fwrite($this->handle, $data);
    }

    public function stream_eof(): bool
    {
        return \feof($this->handle);
    }

    public function stream_tell(): int
    {
        return (int) \ftell($this->handle);
    }

    public function stream_seek(int $offset, int $whence): bool
    {
        return \fseek($this->handle, $offset, $whence) === 0;
    }

    public function stream_flush(): bool
    {
        return \fflush($this->handle);
    }

    public function stream_truncate(int $size): bool
    {
        return \ftruncate($this->handle, \max(0, $size));
    }

    /** @return array<mixed>|false */
    public function stream_stat(): array|false
    {
        return \fstat($this->handle);
    }

    public function stream_close(): void
    {
        \fclose($this->handle);
    }

    /** @return resource */
    public function stream_cast()
    {
        return $this->handle;
    }

    public function stream_set_option(): bool
    {
        return false;
    }

    private static function replace(): void
    {
        \stream_wrapper_unregister('php');
        \stream_wrapper_register('php', self::class);
        self::$active = true;
    }
}
