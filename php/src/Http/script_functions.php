<?php

declare(strict_types=1);

// Functions that do nothing on PHP's command line; see Script.

use PyRoadRunner\Http\Script;

if (!\function_exists('header')) {
    function header(string $header, bool $replace = true, int $response_code = 0): void
    {
        if (headers_sent()) {
            trigger_error('Cannot modify header information - headers already sent', E_USER_WARNING);

            return;
        }
        Script::current()->header($header, $replace, $response_code);
    }

    function header_remove(?string $name = null): void
    {
        if ($name === null) {
            Script::current()->lines = [];
        } else {
            unset(Script::current()->lines[strtolower($name)]);
        }
    }

    /** @return list<string> */
    function headers_list(): array
    {
        return array_merge(...array_values(Script::current()->lines));
    }

    function headers_sent(?string &$filename = null, ?int &$line = null): bool
    {
        $filename = '';
        $line = 0;

        return Script::current()->sent;
    }

    function header_register_callback(callable $callback): bool
    {
        return false;
    }

    function http_response_code(int $response_code = 0): int|bool
    {
        $before = Script::current()->status;
        if ($response_code !== 0) {
            Script::current()->status = $response_code;
        }

        return $before;
    }

    /** @param int|array<string, mixed> $expires_or_options */
    function setrawcookie(
        string $name,
        string $value = '',
        int|array $expires_or_options = 0,
        string $path = '',
        string $domain = '',
        bool $secure = false,
        bool $httponly = false,
    ): bool {
        if ($name === '' || strpbrk($name, "=,; \t\r\n\013\014") !== false || strpbrk($value, ",; \t\r\n\013\014") !== false) {
            return false;
        }
        $options = is_array($expires_or_options)
            ? array_change_key_case($expires_or_options)
            : ['expires' => $expires_or_options] + compact('path', 'domain', 'secure', 'httponly');
        $expires = $value === '' ? 1 : (int) ($options['expires'] ?? 0); // an empty value deletes the cookie
        $line = "Set-Cookie: {$name}=" . ($value === '' ? 'deleted' : $value);
        if ($expires !== 0) {
            $line .= '; expires=' . gmdate('D, d M Y H:i:s \G\M\T', $expires) . '; Max-Age=' . max(0, $expires - time());
        }
        foreach (['path' => 'path', 'domain' => 'domain'] as $key => $written) {
            $line .= ($options[$key] ?? '') === '' ? '' : "; {$written}={$options[$key]}";
        }
        $line .= ($options['secure'] ?? false) ? '; secure' : '';
        $line .= ($options['httponly'] ?? false) ? '; HttpOnly' : '';
        $line .= ($options['samesite'] ?? '') === '' ? '' : "; SameSite={$options['samesite']}";
        header($line, false);

        return true;
    }

    /** @param int|array<string, mixed> $expires_or_options */
    function setcookie(string $name, string $value = '', int|array $expires_or_options = 0, string|bool ...$more): bool
    {
        return setrawcookie($name, rawurlencode($value), $expires_or_options, ...$more);
    }

    function is_uploaded_file(string $filename): bool
    {
        return isset(Script::current()->uploads[$filename]);
    }

    function move_uploaded_file(string $from, string $to): bool
    {
        return is_uploaded_file($from) && rename($from, $to);
    }
}

if (!\function_exists('getallheaders')) {
    /** @return array<string, string> */
    function getallheaders(): array
    {
        $headers = [];
        foreach ($_SERVER as $key => $value) {
            if (str_starts_with($key, 'HTTP_') || $key === 'CONTENT_TYPE' || $key === 'CONTENT_LENGTH') {
                $name = str_replace('_', '-', str_starts_with($key, 'HTTP_') ? substr($key, 5) : $key);
                $headers[ucwords(strtolower($name), '-')] = $value;
            }
        }

        return $headers;
    }
}
