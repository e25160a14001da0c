<?php

declare(strict_types=1);

namespace App\Messenger;

use PyRoadRunner\Jobs\Jobs;
use Symfony\Component\Messenger\Transport\Serialization\SerializerInterface;
use Symfony\Component\Messenger\Transport\TransportFactoryInterface;
use Symfony\Component\Messenger\Transport\TransportInterface;

/** Makes the transports with a DSN like roadrunner://mails, where mails is a pipeline. */
final class RoadRunnerTransportFactory implements TransportFactoryInterface
{
    public function createTransport(string $dsn, array $options, SerializerInterface $serializer): TransportInterface
    {
        return new RoadRunnerTransport(Jobs::create(), (string) parse_url($dsn, PHP_URL_HOST), $serializer);
    }

    public function supports(string $dsn, array $options): bool
    {
        return str_starts_with($dsn, 'roadrunner://');
    }
}
