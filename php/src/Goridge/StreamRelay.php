<?php

declare(strict_types=1);

namespace PyRoadRunner\Goridge;

/** Frames over two PHP streams: stdin and stdout of a worker. */
class StreamRelay implements Relay
{
    /** Maximum bytes of one read: a small frame takes one read, a large body a few. */
    private const CHUNK_BYTES = 65536;

    /**
     * @param resource $in
     * @param resource $out
     */
    public function __construct(private $in, private $out)
    {
        \stream_set_chunk_size($in, self::CHUNK_BYTES);
    }

    public function send(string $frame): void
    {
        $written = @\fwrite($this->out, $frame);
        $size = \strlen($frame);
        while ($written !== $size) {
            $more = $written === false ? false : @\fwrite($this->out, \substr($frame, $written));
            if ($more === false || $more === 0) {
                throw new RelayException('the server has closed the relay');
            }
            $written += $more;
        }
    }

    public function receive(): ?Frame
    {
        // PHP buffers the stream: one read(2) fetches a whole small frame, and the second fread only copies.
        $head = \fread($this->in, Frame::HEADER_SIZE);
        if ($head === false || \strlen($head) !== Frame::HEADER_SIZE) {
            $head = $this->readOn((string) $head, Frame::HEADER_SIZE);
            if ($head === '') {
                return null;
            }
        }
        $field = \unpack('Cfirst/Cflags/Vlength/Vcrc/Cstream', $head);
        $words = $field['first'] - 0x13;
        if ($words < 0 || $words > Frame::MAX_OPTIONS || $field['crc'] !== \crc32(\substr($head, 0, 6))) {
            throw new FrameException('not a frame: ' . \bin2hex($head));
        }
        $size = $field['length'] + 4 * $words;
        if ($size === 0) {
            return new Frame($field['flags'], '', [], $field['stream']);
        }
        $rest = \fread($this->in, $size);
        if ($rest === false || \strlen($rest) !== $size) {
            $rest = $this->readOn((string) $rest, $size);
            if ($rest === '') {
                throw new RelayException('the server closed the relay within a frame');
            }
        }
        if ($words === 0) {
            return new Frame($field['flags'], $rest, [], $field['stream']);
        }
        $options = \array_values(\unpack("V{$words}", $rest));

        return new Frame($field['flags'], \substr($rest, 4 * $words), $options, $field['stream']);
    }

    public function isReadable(): bool
    {
        $read = [$this->in];
        $write = $except = null;

        return @\stream_select($read, $write, $except, 0) > 0;
    }

    public function wantsPing(): bool
    {
        return true;
    }

    /** Reads $size bytes; '' at the end of the stream if nothing had arrived. */
    private function readOn(string $bytes, int $size): string
    {
        $pieces = [$bytes];
        $have = \strlen($bytes);
        while ($have < $size) {
            $piece = \fread($this->in, $size - $have);
            if ($piece === false || $piece === '') {
                if (!\feof($this->in)) {
                    continue; // a signal or a socket timeout: nothing is lost, keep waiting
                }
                if ($have === 0) {
                    return '';
                }
                throw new RelayException('the server closed the relay within a frame');
            }
            $pieces[] = $piece;
            $have += \strlen($piece);
        }

        return \implode('', $pieces);
    }
}
