<?php

declare(strict_types=1);

use Symfony\Bundle\FrameworkBundle\FrameworkBundle;
use Symfony\Bundle\FrameworkBundle\Kernel\MicroKernelTrait;
use Symfony\Component\DependencyInjection\Loader\Configurator\ContainerConfigurator;
use Symfony\Component\HttpFoundation\Request;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Kernel as BaseKernel;
use Symfony\Component\Mercure\Authorization;
use Symfony\Component\Mercure\Hub;
use Symfony\Component\Mercure\HubRegistry;
use Symfony\Component\Mercure\Jwt\FactoryTokenProvider;
use Symfony\Component\Mercure\Jwt\TokenFactoryInterface;
use Symfony\Component\Mercure\Update;
use Symfony\Component\Routing\Loader\Configurator\RoutingConfigurator;

/** Signs tokens; LcobucciFactory of symfony/mercure does the same with the package lcobucci/jwt. */
final class Tokens implements TokenFactoryInterface
{
    public function __construct(private readonly string $secret)
    {
    }

    public function create(?array $subscribe = [], ?array $publish = [], array $additionalClaims = []): string
    {
        $claims = ['mercure' => array_filter(['subscribe' => $subscribe, 'publish' => $publish], is_array(...))];
        $text = self::part(['alg' => 'HS256', 'typ' => 'JWT']) . '.' . self::part($claims);

        return $text . '.' . self::encode(hash_hmac('sha256', $text, $this->secret, true));
    }

    private static function part(array $part): string
    {
        return self::encode(json_encode($part, JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES));
    }

    private static function encode(string $bytes): string
    {
        return rtrim(strtr(base64_encode($bytes), '+/', '-_'), '=');
    }
}

/** A whole Symfony application in one file; yours is in src/. */
final class Kernel extends BaseKernel
{
    use MicroKernelTrait;

    private const NOTES = 'https://example.com/notes';

    public function registerBundles(): iterable
    {
        yield new FrameworkBundle();
    }

    public function getCacheDir(): string
    {
        return sys_get_temp_dir() . '/rr-symfony-mercure/' . posix_getuid() . '/' . $this->environment;
    }

    public function getLogDir(): string
    {
        return $this->getCacheDir();
    }

    protected function configureContainer(ContainerConfigurator $container): void
    {
        $container->extension('framework', ['secret' => 'change me', 'test' => false]);
    }

    protected function configureRoutes(RoutingConfigurator $routes): void
    {
        $routes->add('board', '/')->controller([$this, 'board'])->methods(['GET']);
        $routes->add('add', '/notes')->controller([$this, 'add'])->methods(['POST']);
        $routes->add('remove', '/notes/{id}/remove')->controller([$this, 'remove'])->methods(['POST']);
    }

    /** The page. Its cookie permits it to follow the private notes of this person. */
    public function board(Request $request): Response
    {
        if (!is_dir(__DIR__ . '/public/node_modules')) {
            return new Response("Run this first: npm install --prefix public\n", 503, ['Content-Type' => 'text/plain']);
        }
        $name = trim($request->query->get('name', '')); // in your application: $this->getUser()
        if ($name === '') {
            return new Response(file_get_contents(__DIR__ . '/enter.html'));
        }
        $hub = $this->hub($request);
        $page = strtr(file_get_contents(__DIR__ . '/board.html'), [
            '{notes}' => self::follow($hub, self::NOTES),
            '{own}' => self::follow($hub, self::own($name)),
            '{form}' => self::form($name),
        ]);
        $response = new Response($page);
        $response->headers->setCookie((new Authorization(new HubRegistry($hub)))->createCookie($request, [self::own($name)]));

        return $response;
    }

    /** Publishes a note to all pages, or to those of two people. */
    public function add(Request $request): Response
    {
        [$from, $to, $text] = array_map(static fn (string $field): string => trim($request->request->get($field, '')), ['from', 'to', 'text']);
        $id = bin2hex(random_bytes(6));
        $note = sprintf(
            '<li id="note-%s"%s><b>%s</b><p>%s</p><form method="post" action="/notes/%s/remove"><button aria-label="Remove">×</button></form></li>',
            $id,
            $to === '' ? '' : ' class="private"',
            htmlspecialchars($to === '' ? $from : "$from to $to"),
            htmlspecialchars($text),
            $id,
        );
        $update = $to === ''
            ? new Update(self::NOTES, self::stream('prepend', 'notes', $note))
            : new Update([self::own($to), self::own($from)], self::stream('prepend', 'notes', $note), true);
        $this->hub($request)->publish($update);

        return new Response(self::stream('update', 'new', self::form($from)), 200, ['Content-Type' => 'text/vnd.turbo-stream.html']);
    }

    public function remove(Request $request, string $id): Response
    {
        if (ctype_xdigit($id)) {
            $this->hub($request)->publish(new Update(self::NOTES, self::stream('remove', "note-$id")));
        }

        return new Response('', 204);
    }

    /** The hub, which symfony/mercure-bundle makes in an application. */
    private function hub(Request $request): Hub
    {
        $tokens = new Tokens($_SERVER['MERCURE_JWT_SECRET']);

        return new Hub(
            $_SERVER['MERCURE_URL'],
            new FactoryTokenProvider($tokens, [], ['*']),
            $tokens,
            $request->getSchemeAndHttpHost() . '/.well-known/mercure', // MERCURE_PUBLIC_URL
        );
    }

    private static function own(string $name): string
    {
        return 'https://example.com/people/' . rawurlencode($name);
    }

    private static function follow(Hub $hub, string $topic): string
    {
        return htmlspecialchars($hub->getPublicUrl() . '?' . http_build_query(['topic' => $topic, 'lastEventID' => 'earliest']));
    }

    private static function form(string $name): string
    {
        return strtr(file_get_contents(__DIR__ . '/form.html'), ['{name}' => htmlspecialchars($name)]);
    }

    private static function stream(string $action, string $target, string $html = ''): string
    {
        return "<turbo-stream action=\"$action\" target=\"$target\"><template>$html</template></turbo-stream>";
    }
}
