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

async function ask(path, query) {
  try {
    const response = await app.getClient().postJson('wxa/generate_urllink', { path, query });
    const { url_link: url, errcode, errmsg } = response.toObject();
    return { url, errcode, error: errcode ? errmsg : '' };
  } catch (error) {
    return { error: String(error) };
  }
}

async function main() {
  for await (const line of createInterface({ input: process.stdin })) {
    const { Path: path, Queries: queries } = JSON.parse(line);
    const token = await app.getAccessToken().getToken().catch((error) => console.error(error));
    const links = await Promise.all(queries.map((query) => ask(path, query)));
    console.log(JSON.stringify({ token, links }));
  }
}

main();
