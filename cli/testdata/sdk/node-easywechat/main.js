// Asks for links through node-easywechat: a question a line in, an answer a line out (cli/sdk_test.go).
const { createInterface } = require('node:readline');
const { MiniApp } = require('node-easywechat');

const broker = process.env.LINKBROKER_URL; // https://go.example.com/k/API_KEY
const app = new MiniApp({
  app_id: process.env.WECHAT_APPID,
  secret: process.env.WECHAT_SECRET,
  use_stable_access_token: Boolean(process.env.STABLE),
  http: { baseURL: broker },
});

async function generate(kind, path, query) {
  const client = app.getClient();
  switch (kind) {
    case 'scheme':
      return (await client.postJson('wxa/generatescheme', { jump_wxa: { path, query } })).toObject();
    case 'short_link':
      return (
        await client.postJson('wxa/genwxashortlink', { page_url: `${path}?${query}`, page_title: 'An item' })
      ).toObject();
    case 'query':
      return (await client.postJson('wxa/query_urllink', { url_link: path })).toObject();
  }
  const response = await app.getClient().postJson('wxa/generate_urllink', { path, query });
  return response.toObject();
}

async function ask(kind, path, query) {
  try {
    const got = await generate(kind, path, query);
    const found = got.url_link_info;
    const url = got.url_link ?? got.openlink ?? got.link ?? (found && `${found.path}?${found.query}`);
    return { url, errcode: got.errcode, error: got.errcode ? got.errmsg : '' };
  } catch (error) {
    return { error: String(error) };
  }
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    const { Kind: kind, Path: path, Queries: queries } = JSON.parse(line);
    const token = await app.getAccessToken().getToken().catch((error) => console.error(error));
    const links = await Promise.all(queries.map((query) => ask(kind, path, query)));
    console.log(JSON.stringify({ token, links }));
  }
}

main();
