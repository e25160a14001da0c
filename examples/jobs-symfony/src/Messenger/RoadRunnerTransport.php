<?php

declare(strict_types=1);

namespace App\Messenger;

use PyRoadRunner\Jobs\Jobs;
use PyRoadRunner\Jobs\NewJob;
use Symfony\Component\Messenger\Envelope;
use Symfony\Component\Messenger\Stamp\DelayStamp;
use Symfony\Component\Messenger\Stamp\TransportMessageIdStamp;
use Symfony\Component\Messenger\Transport\Serialization\SerializerInterface;
use Symfony\Component\Messenger\Transport\TransportInterface;

/** Pushes messages to a pipeline. Its jobs run in jobs.php, to which the server gives them. */
final class RoadRunnerTransport implements TransportInterface
{
    public function __construct(
        private readonly Jobs $jobs,
        private readonly string $pipeline,
        private readonly SerializerInterface $serializer,
    ) {
    }

    public function send(Envelope $envelope): Envelope
    {
        $encoded = $this->serializer->encode($envelope);
        $job = new NewJob(
            $envelope->getMessage()::class,
            $encoded['body'],
            $encoded['headers'] ?? [],
            delay: (int) ceil(($envelope->last(DelayStamp::class)?->getDelay() ?? 0) / 1000),
        );
        $this->jobs->push($this->pipeline, $job);

        return $envelope->with(new TransportMessageIdStamp($job->id));
    }

    public function get(): iterable
    {
        return []; // messenger:consume finds nothing here
    }

    public function ack(Envelope $envelope): void
    {
    }

    public function reject(Envelope $envelope): void
    {
    }
}
