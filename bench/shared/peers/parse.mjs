// parse.mjs FOLDER DATABASE: Parse Server with its own store on disk, on a port that the system chooses; it prints the port.
import { createServer } from 'node:http';
import express from 'express';
import { ParseServer } from 'parse-server';
import FilesAdapter from '@parse/fs-files-adapter';

const [folder, databaseURI] = process.argv.slice(2);
process.chdir(folder);
const parse = new ParseServer({
  appId: 'bench', masterKey: 'bench', masterKeyIps: ['127.0.0.1'], serverURL: 'http://127.0.0.1/parse', databaseURI,
  filesAdapter: new FilesAdapter({ filesSubDirectory: '' }), fileUpload: { enableForPublic: true }, maxUploadSize: '100mb', silent: true, logsFolder: null,
});
await parse.start();
const server = createServer(express().use('/parse', parse.app));
server.keepAliveTimeout = 600_000;
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
