<?php

declare(strict_types=1);

namespace PyRoadRunner\Http;

/** An uploaded file. The server removes it after the response unless it was moved. */
final class UploadedFile
{
    /**
     * @param string $name    the file name from the client, without a folder
     * @param string $mime    the type from the client, or ''
     * @param int    $error   one of PHP's UPLOAD_ERR_* constants
     * @param string $tmpName path of the temporary file; '' on error
     */
    public function __construct(
        public readonly string $name,
        public readonly string $mime,
        public readonly int $size,
        public readonly int $error,
        public readonly string $tmpName,
    ) {
    }

    /** @throws \RuntimeException the upload failed, or the target can't be written */
    public function moveTo(string $path): void
    {
        if ($this->error !== UPLOAD_ERR_OK || !@rename($this->tmpName, $path)) {
            throw new \RuntimeException("cannot move upload \"{$this->name}\" (error {$this->error}) to {$path}");
        }
    }

    /** @throws \RuntimeException the upload failed or was moved */
    public function contents(): string
    {
        $bytes = $this->error === UPLOAD_ERR_OK ? @file_get_contents($this->tmpName) : false;
        if ($bytes === false) {
            throw new \RuntimeException("cannot read upload \"{$this->name}\" (error {$this->error})");
        }

        return $bytes;
    }

    /**
     * Converts each file in the server's tree of uploads to an object.
     *
     * @param array<mixed> $tree
     *
     * @return array<UploadedFile|array<mixed>>
     */
    public static function fromTree(array $tree): array
    {
        $files = [];
        foreach ($tree as $key => $node) {
            // A file has a string under "tmpName"; a field that happens to have this name has a list or a tree there.
            $files[$key] = \is_string($node['tmpName'] ?? null)
                ? new self($node['name'], $node['mime'], $node['size'], $node['error'], $node['tmpName'])
                : self::fromTree($node);
        }

        return $files;
    }
}
