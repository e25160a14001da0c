<?php

declare(strict_types=1);

namespace PyRoadRunner\Http;

/**
 * Serves scripts that were written for PHP-FPM: they read $_GET and $_POST, call header() and exit, and define the same
 * functions at each request. So a process runs one script and is then replaced (http.pool.max_jobs: 1).
 *
 *     $script = Script::next(__DIR__);
 *     if ($script !== null) {
 *         require $script; // outside of a function: its variables are global
 *     }
 *
 * On the command line header() and a few other functions do nothing. PHP lets a program define functions that the
 * configuration disables, so the worker starts with `php -d disable_functions=...` (DISABLED), and script_functions.php
 * defines them.
 */
final class Script
{
    /** Functions that need a replacement, for `-d disable_functions=`. */
    public const DISABLED = 'header,header_remove,headers_list,headers_sent,header_register_callback,'
        . 'http_response_code,setcookie,setrawcookie,is_uploaded_file,move_uploaded_file';

    private const PIECE = 65536; // bytes of output that are collected before they are sent
    private const FATAL = E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR | E_RECOVERABLE_ERROR;

    public int $status = 200;

    /** @var array<string, list<string>> by name in lower case: complete lines */
    public array $lines = [];

    /** @var array<string, true> temporary files of the uploads */
    public array $uploads = [];

    public bool $sent = false;

    private static ?self $current = null;

    private ?\Closure $send = null;

    private function __construct(private readonly HttpWorker $http)
    {
    }

    /** The script that runs. */
    public static function current(): self
    {
        return self::$current ??= new self(HttpWorker::create());
    }

    /**
     * Waits for a request and prepares PHP's globals. The response is sent when the process ends.
     *
     * @param string $root  folder with the scripts
     * @param string $front script in this folder for paths that are no script
     *
     * @return string|null the script to run; null when it is time to exit
     */
    public static function next(string $root, string $front = 'index.php'): ?string
    {
        require_once __DIR__ . '/script_functions.php';
        if ((new \ReflectionFunction('header'))->isInternal()) {
            throw new \LogicException('start PHP with: php -d disable_functions=' . self::DISABLED);
        }
        \ini_set('display_errors', 'stderr');
        $root = (string) \realpath($root);
        $worker = \realpath($_SERVER['SCRIPT_FILENAME']);
        $script = self::current();
        while (($request = $script->http->waitRequest()) !== null) {
            [$file, $info] = self::find($root, \rawurldecode($request->path()), $front);
            if ($file !== null && $file !== $worker) {
                $script->prepare($request, $root, $file, $info);

                return $file;
            }
            $script->http->respond(404, "Not found.\n", ['Content-Type' => 'text/plain']);
        }

        return null;
    }

    /** Adds a header line, as header() does. */
    public function header(string $line, bool $replace, int $status): void
    {
        if (\preg_match('~^HTTP/\S+ (\d{3})~', $line, $match)) {
            $this->status = (int) $match[1];

            return;
        }
        [$name, $value] = \array_map('trim', \explode(':', $line, 2)) + [1 => ''];
        $key = \strtolower($name);
        $this->lines[$key] = $replace ? [$line] : [...$this->lines[$key] ?? [], $line];
        if ($key === 'location' && $this->status === 200) {
            $this->status = 302;
        }
        if ($status !== 0) {
            $this->status = $status;
        }
    }

    /**
     * The file of a path and what follows it (PATH_INFO). Files outside of the folder, with a name that begins with a
     * dot, or in vendor/ are not run.
     *
     * @return array{?string, string}
     */
    private static function find(string $root, string $path, string $front): array
    {
        if (!\str_contains($path, "\0") && !\preg_match('~(^|/)(\.|vendor/)~', $path)) {
            $end = \preg_match('~^.+?\.php(?=/|$)~', $path, $match) ? \strlen($match[0]) : \strlen($path);
            $inside = \substr($path, 0, $end);
            foreach ([$inside, \rtrim($inside, '/') . '/index.php'] as $name) {
                $file = \realpath($root . '/' . \ltrim($name, '/'));
                if ($file !== false && \str_starts_with($file, "{$root}/") && \str_ends_with($file, '.php') && \is_file($file)) {
                    return [$file, \substr($path, $end)];
                }
            }
        }
        $file = "{$root}/{$front}";

        return [\is_file($file) ? $file : null, ''];
    }

    private function prepare(Request $request, string $root, string $file, string $info): void
    {
        $name = \substr($file, \strlen($root));
        $_GET = $request->query;
        $_POST = $request->parsed ?? [];
        $_COOKIE = $request->cookies;
        $_REQUEST = $_POST + $_GET;
        $_FILES = $this->files($request->uploads);
        $_SERVER = HttpFoundation::server($request) + [
            'DOCUMENT_ROOT' => $root,
            'SCRIPT_FILENAME' => $file,
            'SCRIPT_NAME' => $name,
            'PHP_SELF' => $name . $info,
            'GATEWAY_INTERFACE' => 'CGI/1.1',
            'SERVER_SOFTWARE' => 'pyroadrunner',
        ] + ($info === '' ? [] : ['PATH_INFO' => $info]) + \getenv();
        unset($_SERVER['argv'], $_SERVER['argc']);
        $authorization = $request->header('Authorization');
        if (\stripos($authorization, 'basic ') === 0) {
            [$user, $password] = \explode(':', (string) \base64_decode(\substr($authorization, 6)), 2) + [1 => ''];
            $_SERVER += ['PHP_AUTH_USER' => $user, 'PHP_AUTH_PW' => $password];
        }
        InputStream::serve($request->parsed === null ? $request->body : '');
        \chdir(\dirname($file));
        $failed = false;
        \ob_start(function (string $text, int $phase) use (&$failed): string {
            if (($phase & PHP_OUTPUT_HANDLER_FINAL) !== 0) {
                return $text; // finish() sends it
            }
            if ($text !== '' && !$failed) {
                $this->sent = true;
                $this->send ??= $this->http->pieces($this->status, $this->headers());
                $failed = !($this->send)($text);
            }

            return '';
        }, self::PIECE);
        $level = \ob_get_level();
        // A function that is registered during the shutdown runs after those of the script.
        \register_shutdown_function(fn () => \register_shutdown_function(fn () => $this->finish($level)));
    }

    /** Sends the response, or its rest, and waits for the stop. */
    private function finish(int $level): void
    {
        while (\ob_get_level() > $level) {
            \ob_end_flush();
        }
        $this->rememberSession();
        if (\session_status() === PHP_SESSION_ACTIVE) {
            \session_write_close(); // the next request of this client may arrive before the process ends
        }
        $rest = (string) \ob_get_contents();
        \ob_end_clean();
        InputStream::restore();
        $error = \error_get_last();
        if ($this->send !== null) {
            ($this->send)($rest);
            ($this->send)(null);
        } elseif ($error !== null && ($error['type'] & self::FATAL) !== 0) {
            $this->http->error("{$error['message']} in {$error['file']}:{$error['line']}");
        } else {
            $this->http->respond($this->status, $rest, $this->headers());
        }
        if ($this->http->worker->waitPayload() !== null) {
            $this->http->worker->stop(); // the next request is for a new process
        }
    }

    /** @return array<string, list<string>> */
    private function headers(): array
    {
        $headers = [];
        foreach ($this->lines as $key => $lines) {
            foreach ($lines as $line) {
                $headers[\ucwords($key, '-')][] = \trim(\explode(':', $line, 2)[1] ?? '');
            }
        }
        $headers['Content-Type'] ??= [(\ini_get('default_mimetype') ?: 'text/html') . '; charset=' . \ini_get('default_charset')];

        return $headers;
    }

    /** The cookie of a new session: PHP would send it with header(). */
    private function rememberSession(): void
    {
        $id = \session_id();
        if (!$this->sent && $id !== false && $id !== '' && ($_COOKIE[\session_name()] ?? null) !== $id) {
            $options = \session_get_cookie_params();
            $options['expires'] = $options['lifetime'] === 0 ? 0 : \time() + $options['lifetime'];
            unset($options['lifetime']);
            \setcookie((string) \session_name(), $id, $options);
        }
    }

    /**
     * $_FILES, in PHP's form: for `name="a[b]"` each property is a map.
     *
     * @param array<UploadedFile|array<mixed>> $uploads
     *
     * @return array<string, mixed>
     */
    private function files(array $uploads): array
    {
        $files = [];
        foreach ($uploads as $field => $upload) {
            $read = ['name' => 'name', 'type' => 'mime', 'tmp_name' => 'tmpName', 'error' => 'error', 'size' => 'size'];
            foreach ($read as $key => $property) {
                $files[$field][$key] = $this->property($upload, $property);
            }
        }

        return $files;
    }

    private function property(mixed $upload, string $property): mixed
    {
        if (\is_array($upload)) {
            return \array_map(fn (mixed $one): mixed => $this->property($one, $property), $upload);
        }
        $this->uploads[$upload->tmpName] = true;

        return $upload->{$property};
    }
}
