// An identity provider for tests: oidc-provider, as it comes, with one client. Any name logs in, with any password.
// Says where it listens on its standard output.
import { createServer } from 'node:http';

const server = createServer();
server.listen(0, '127.0.0.1', async () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const { default: Provider } = await import('oidc-provider');
  const provider = new Provider(issuer, {
    clients: [{
      client_id: 'shop',
      client_secret: 'a secret of the client',
      redirect_uris: [`${process.argv[2]}/oauth2/callback`],
      post_logout_redirect_uris: [`${process.argv[2]}/`],
    }],
    pkce: { required: () => true, methods: ['S256'] },
    claims: { openid: ['sub'], email: ['email'], profile: ['name'] },
    conformIdTokenClaims: false,
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, email: `${id}@example.com`, name: id }) }),
  });
  server.on('request', provider.callback());
  console.log(issuer);
});
