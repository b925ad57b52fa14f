// Asks for links through nest-wechat: a question a line in, an answer a line out (cli/sdk_test.go).
require('reflect-metadata');
const { createInterface } = require('node:readline');
const axios = require('axios');
const { WeChatService } = require('nest-wechat');

const broker = process.env.LINKBROKER_URL; // https://go.example.com/k/API_KEY
axios.interceptors.request.use((config) => {
  config.url = config.url.replace('https://api.weixin.qq.com', broker);
  return config;
});
const service = new WeChatService({ appId: process.env.WECHAT_APPID, secret: process.env.WECHAT_SECRET });

async function generate(token, kind, path, query) {
  switch (kind) {
    case 'scheme':
      return (await service.mp.generateScheme({ jump_wxa: { path, query } }, token)).data;
    case 'short_link':
      return (await service.mp.generateShortLink({ page_url: `${path}?${query}`, page_title: 'An item' }, token)).data;
    case 'query':
      return (await service.mp.queryUrlLink(path, token)).data;
  }
  const { data } = await service.mp.generateUrlLink({ path, query }, token);
  return data;
}

async function ask(token, kind, path, query) {
  try {
    const got = await generate(token, kind, path, query);
    const found = got.url_link_info;
    const url = got.url_link ?? got.openlink ?? got.link ?? (found && `${found.path}?${found.query}`);
    return { url, errcode: got.errcode, error: got.errcode ? got.errmsg : '' };
  } catch (error) {
    return { error: String(error) };
  }
}

async function main() {
  let token;
  for await (const line of createInterface({ input: process.stdin })) {
    const { Kind: kind, Path: path, Queries: queries } = JSON.parse(line);
    token ??= (await service.mp.getAccessToken()).data.access_token;
    const links = await Promise.all(queries.map((query) => ask(token, kind, path, query)));
    console.log(JSON.stringify({ token, links }));
  }
}

main();
